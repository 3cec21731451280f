package group

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A ledger is a group with its log, which holds offsets in transactions and
// the markers that end them.
type ledger struct {
	t     *testing.T
	opts  Options
	state *State
	now   time.Time
	log   []func(*State)
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{t: t, now: time.UnixMilli(1_700_000_000_000)}
	l.opts = Options{MinSessionTimeout: time.Second, MaxSessionTimeout: time.Hour, OffsetRetention: time.Hour, MaxMetadata: 16,
		NewMemberID: func(prefix string) string { return prefix + "-1" }}
	l.state = New("g", &l.opts)
	return l
}

func (l *ledger) do(event func(*Turn)) any {
	l.t.Helper()
	t := &Turn{}
	t.Reset(l.now, 1)
	event(t)
	producer := t.Producer
	for _, rec := range t.Records {
		back, err := Decode(rec.Encode())
		if err != nil {
			l.t.Fatal(err)
		}
		l.log = append(l.log, func(s *State) {
			if producer != nil {
				s.ApplyUnstable(back.(*OffsetRecord), producer.ID)
			} else {
				s.Apply(back, l.now)
			}
		})
	}
	if len(t.Replies) == 0 {
		return nil
	}
	return t.Replies[0].Body
}

func (l *ledger) commit(offset int64) {
	l.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset}}}}
	l.do(func(t *Turn) { l.state.Commit(t, req) })
}

func txnCommit(producer, offset int64) *TxnCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Group, req.ProducerID = "g", producer
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: offset}}}}
	return req
}

func (l *ledger) commitTxn(req *TxnCommitRequest) int16 {
	l.t.Helper()
	resp := l.do(func(t *Turn) { l.state.CommitTxn(t, req) }).(*TxnCommitResponse)
	return resp.Topics[0].Partitions[0].ErrorCode
}

func (l *ledger) marker(producer int64, commit bool) {
	end := func(s *State) { s.Complete(producer, commit, l.now) }
	l.log = append(l.log, end)
	end(l.state)
}

// shows asserts what a fetch sees, and that a group which is read back from
// the log shows the same.
func (l *ledger) shows(want string) {
	l.t.Helper()
	if got := l.show(); got != want {
		l.t.Errorf("live: %s, want %s", got, want)
	}
	l.state = New("g", &l.opts)
	for _, apply := range l.log {
		apply(l.state)
	}
	if got := l.show(); got != want {
		l.t.Errorf("replayed: %s, want %s", got, want)
	}
}

// show is the offset for anyone, and for who requires it stable.
func (l *ledger) show() string {
	var out []string
	for _, stable := range []bool{false, true} {
		req := &FetchRequest{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}
		p := l.do(func(t *Turn) { l.state.Fetch(t, req, stable) }).(FetchResponse).Topics[0].Partitions[0]
		if p.ErrorCode == kerr.UnstableOffsetCommit.Code {
			out = append(out, "unstable")
		} else {
			out = append(out, fmt.Sprint(p.Offset))
		}
	}
	return strings.Join(out, " ")
}

func TestItem51_PendingOffsets(t *testing.T) {
	l := newLedger(t)
	l.commit(1)
	if code := l.commitTxn(txnCommit(7, 5)); code != 0 {
		t.Fatalf("code %d", code)
	}
	l.shows("1 unstable")
	l.marker(7, false)
	l.shows("1 1")
	l.commitTxn(txnCommit(7, 6))
	l.commitTxn(txnCommit(7, 7))
	l.shows("1 unstable")
	l.marker(7, true)
	l.shows("7 7")
	l.marker(7, true) // a marker that comes twice
	l.shows("7 7")
}

// What was committed outside of the transaction and after it holds.
func TestItem51_LaterCommitHolds(t *testing.T) {
	l := newLedger(t)
	l.commitTxn(txnCommit(7, 5))
	l.commit(9)
	l.shows("9 unstable")
	l.marker(7, true)
	l.shows("9 9")
}

// Two transactions over one offset: each ends by itself.
func TestItem51_TwoProducers(t *testing.T) {
	l := newLedger(t)
	l.commitTxn(txnCommit(7, 5))
	l.commitTxn(txnCommit(8, 6))
	l.marker(8, true)
	l.shows("6 unstable")
	l.marker(7, true)
	l.shows("6 6")
}

func TestItem51_Fencing(t *testing.T) {
	l := newLedger(t)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.Version, join.SessionTimeoutMillis = "g", "consumer", 3, 10_000
	join.InstanceID = new("i")
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	member := l.do(func(t *Turn) { l.state.Join(t, Client{ID: "c"}, join) }).(*JoinResponse)
	if member.ErrorCode != 0 {
		t.Fatalf("join: code %d", member.ErrorCode)
	}
	for _, c := range []struct {
		name       string
		generation int32
		member     string
		instance   *string
		want       *kerr.Error
	}{
		{"the member", member.Generation, member.MemberID, nil, nil},
		{"its instance", member.Generation, member.MemberID, new("i"), nil},
		{"a client that names nobody", -1, "", nil, nil},
		{"a generation ago", member.Generation - 1, member.MemberID, nil, kerr.IllegalGeneration},
		{"a member that is gone", member.Generation, "gone", nil, kerr.UnknownMemberID},
		{"a process that was replaced", member.Generation, "gone", new("i"), kerr.FencedInstanceID},
	} {
		req := txnCommit(7, 5)
		req.Generation, req.MemberID, req.InstanceID = c.generation, c.member, c.instance
		if got := l.commitTxn(req); got != code(c.want) {
			t.Errorf("%s: code %d, want %d", c.name, got, code(c.want))
		}
	}
	unknown := newLedger(t)
	req := txnCommit(7, 5)
	req.Generation, req.MemberID = 3, "m"
	if got := unknown.commitTxn(req); got != kerr.IllegalGeneration.Code {
		t.Errorf("a group that nobody knows: code %d", got)
	}
}

// A transaction holds its offsets back from what would delete them.
func TestUnstableOffsetsStay(t *testing.T) {
	l := newLedger(t)
	l.commit(1)
	l.commitTxn(txnCommit(7, 5))
	if code := l.do(l.state.Delete).(int16); code != kerr.NonEmptyGroup.Code {
		t.Errorf("delete: code %d", code)
	}
	l.now = l.now.Add(48 * time.Hour)
	l.do(l.state.ExpireOffsets)
	l.shows("1 unstable")
	l.marker(7, true)
	l.do(l.state.ExpireOffsets)
	l.shows("-1 -1")
}
