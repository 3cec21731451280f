package api

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// dialogue is a client with a session that fetches partitions of topic t.
type dialogue struct {
	*client
	id, epoch int32
	version   int16
}

// fetch asks with the partitions at the offsets, and returns "0:2 1:0": the
// partitions that the response names and how many records each has.
func (d *dialogue) fetch(offsets map[int32]int64, forget ...int32) (string, *kmsg.FetchResponse) {
	d.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionID, req.SessionEpoch = d.version, 1<<20, d.id, d.epoch
	topic := kmsg.FetchRequestTopic{Topic: "t"}
	for index := range int32(100) {
		if offset, ok := offsets[index]; ok {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes = index, offset, 1<<20
			topic.Partitions = append(topic.Partitions, p)
		}
	}
	if len(topic.Partitions) > 0 {
		req.Topics = append(req.Topics, topic)
	}
	if len(forget) > 0 {
		req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "t", Partitions: forget}}
	}
	resp := ask[*kmsg.FetchResponse](d.client, req)
	var named []string
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			named = append(named, fmt.Sprintf("%d:%d", p.Partition, len(values(d.t, p.RecordBatches))))
		}
	}
	if resp.ErrorCode == 0 {
		d.id = resp.SessionID
		if d.epoch++; d.epoch <= 0 {
			d.epoch = -1
		}
	}
	return strings.Join(named, " "), resp
}

// expect fails unless the response names just that.
func (d *dialogue) expect(want string, offsets map[int32]int64, forget ...int32) {
	d.t.Helper()
	if got, resp := d.fetch(offsets, forget...); got != want || resp.ErrorCode != 0 {
		d.t.Fatalf("the response names %q with error %d, want %q", got, resp.ErrorCode, want)
	}
}

func withPartitions(t fatal, partitions int32) *node {
	t.Helper()
	n := start(t, setup{})
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: partitions, Replicas: 1})
	return n
}

// Item 57: a session names in its responses what is new, and is told in its
// requests what changed.
func TestItem57_FetchSession(t *testing.T) {
	n := withPartitions(t, 3)
	n.append(t, "t", 0, "a")
	d := &dialogue{client: n.client(t), version: 11}
	d.expect("0:1 1:0 2:0", map[int32]int64{0: 0, 1: 0, 2: 0}) // full
	if d.id == 0 {
		t.Fatal("no session was made")
	}
	d.expect("", map[int32]int64{0: 1}) // nothing new
	n.append(t, "t", 2, "b")
	d.expect("2:1", nil)
	d.expect("2:1", nil)                // not read on: it comes again
	d.expect("", map[int32]int64{2: 1}) // read on
	d.expect("0:1", map[int32]int64{0: 0})
	n.append(t, "t", 1, "c")
	d.expect("0:1", nil, 1) // 1 is forgotten
	d.expect("0:1 1:1", map[int32]int64{1: 0})
	if sessions := n.Broker.sessions.Len(); sessions != 1 {
		t.Errorf("%d sessions, want 1", sessions)
	}
	d.epoch = -1
	d.expect("0:1", map[int32]int64{0: 0}) // the last one, full
	if sessions := n.Broker.sessions.Len(); sessions != 0 {
		t.Errorf("%d sessions after the end, want 0", sessions)
	}
}

// Item 56: partitions with much to read take turns with the others.
func TestItem56_FetchSessionIsFair(t *testing.T) {
	n := withPartitions(t, 3)
	big := string(make([]byte, 900<<10))
	for p := range int32(3) {
		n.append(t, "t", p, big)
	}
	d := &dialogue{client: n.client(t), version: 11}
	var first []string
	for range 3 {
		offsets := map[int32]int64{}
		if d.id == 0 {
			offsets = map[int32]int64{0: 0, 1: 0, 2: 0}
		}
		_, resp := d.fetch(offsets)
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				if len(p.RecordBatches) > 0 {
					first = append(first, fmt.Sprint(p.Partition))
				}
			}
		}
	}
	if !slices.Equal(first, []string{"0", "1", "2"}) {
		t.Errorf("the turns went to partitions %v, want each once", first)
	}
}

func TestItem57_FetchSessionFaults(t *testing.T) {
	n := withPartitions(t, 1)
	begin := func(t *testing.T) *dialogue {
		d := &dialogue{client: n.client(t), version: 12}
		d.expect("0:0", map[int32]int64{0: 0})
		return d
	}
	for _, test := range []struct {
		name  string
		spoil func(*dialogue)
		want  *kerr.Error
	}{
		{"unknown id", func(d *dialogue) { d.id++ }, kerr.FetchSessionIDNotFound},
		{"epoch again", func(d *dialogue) { d.epoch = 2 }, kerr.InvalidFetchSessionEpoch},
		{"epoch of the future", func(d *dialogue) { d.epoch += 5 }, kerr.InvalidFetchSessionEpoch},
		{"names, then ids", func(d *dialogue) { d.version = 13 }, kerr.FetchSessionTopicIDError},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := begin(t)
			test.spoil(d)
			named, resp := d.fetch(nil)
			if resp.ErrorCode != test.want.Code || named != "" {
				t.Errorf("%v naming %q, want %v", kerr.ErrorForCode(resp.ErrorCode), named, test.want)
			}
		})
	}
}

// A session that a request is using cannot be used by another.
func TestItem57_FetchSessionInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withPartitions(t, 1)
		d := &dialogue{client: n.client(t), version: 11}
		d.expect("0:0", map[int32]int64{0: 0})
		parked := kmsg.NewPtrFetchRequest()
		parked.Version, parked.SessionID, parked.SessionEpoch = 11, d.id, d.epoch
		parked.MaxBytes, parked.MinBytes, parked.MaxWaitMillis = 1<<20, 1, 60_000
		id := d.send(parked)
		synctest.Wait()
		other := &dialogue{client: n.client(t), version: 11, id: d.id, epoch: d.epoch + 1}
		if _, resp := other.fetch(nil); resp.ErrorCode != kerr.InvalidFetchSessionEpoch.Code {
			t.Errorf("%v, want INVALID_FETCH_SESSION_EPOCH", kerr.ErrorForCode(resp.ErrorCode))
		}
		n.append(t, "t", 0, "v")
		if resp := d.receive(parked, id).(*kmsg.FetchResponse); resp.ErrorCode != 0 || len(resp.Topics) != 1 {
			t.Errorf("the parked request was disturbed: %+v", resp)
		}
	})
}

// A topic that is created anew under its name is another one: by id it is
// unknown, by name the session goes on with it.
func TestItem57_FetchSessionOfATopicCreatedAnew(t *testing.T) {
	n := withPartitions(t, 1)
	n.append(t, "t", 0, "old", "old")
	d := &dialogue{client: n.client(t), version: 11}
	d.expect("0:2", map[int32]int64{0: 0})
	if _, err := n.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "t"}}); err != nil {
		t.Fatal(err)
	}
	if _, resp := d.fetch(nil); resp.Topics[0].Partitions[0].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("a deleted topic answers %+v", resp.Topics)
	}
	n.create(t, "t")
	n.append(t, "t", 0, "new")
	_, resp := d.fetch(nil)
	if got := values(t, resp.Topics[0].Partitions[0].RecordBatches); !slices.Equal(got, []string{"new"}) {
		t.Errorf("the new topic answers %q", got)
	}
}

// The cache has its bound: a new session takes the slot of one that is idle or
// smaller, else its client fetches without one.
func TestItem57_FetchSessionSlots(t *testing.T) {
	s := newSessions(1)
	now := time.Now()
	begin := func(partitions int) *session {
		got, err := s.begin(&wire.FetchRequest{Version: 11, SessionEpoch: 0, Partitions: partitions}, now)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := begin(5)
	for i := range int32(5) {
		first.parts[partKey{index: i}] = &fetchPart{}
	}
	if begin(100) != nil {
		t.Error("a session in use lost its slot")
	}
	s.end(first)
	if begin(5) != nil {
		t.Error("a session as large lost its slot")
	}
	larger := begin(6)
	if larger == nil {
		t.Fatal("a larger session got no slot")
	}
	larger.parts[partKey{}] = &fetchPart{}
	for i := range int32(50) {
		larger.parts[partKey{index: i}] = &fetchPart{}
	}
	s.end(larger)
	now = now.Add(sessionIdle)
	if begin(1) == nil {
		t.Error("an idle session kept its slot")
	}
	if s.Len() != 1 {
		t.Errorf("%d sessions in 1 slot", s.Len())
	}
}

func TestNextEpoch(t *testing.T) {
	if got := nextEpoch(math.MaxInt32); got != 1 {
		t.Errorf("after the largest epoch comes %d, want 1", got)
	}
}
