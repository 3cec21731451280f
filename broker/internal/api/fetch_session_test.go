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

// A session that is asked again and again costs what has changed: only that is
// looked at.
func TestItem57_ASessionCostsWhatHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 60
		n := withPartitions(t, partitions)
		d := &dialogue{client: n.client(t), version: 11}
		all := map[int32]int64{}
		for index := range int32(partitions) {
			all[index] = 0
		}
		d.fetch(all)
		s := n.Broker.sessions.byID[d.id]
		due := func() (n int) {
			synctest.Wait() // The reply has been encoded, and the session is free.
			s.collect()
			for p := s.due.first; p != nil; p = p.next {
				n++
			}
			return n
		}
		if got := due(); got != 0 {
			t.Errorf("%d of %d partitions are looked at when nothing has happened", got, partitions)
		}
		n.append(t, "t", 7, "a")
		n.append(t, "t", 9, "b")
		n.append(t, "t", 7, "c")
		if got := due(); got != 2 {
			t.Errorf("%d partitions are looked at, 2 have changed", got)
		}
		d.expect("7:2 9:1", nil)
		d.expect("", map[int32]int64{7: 2, 9: 1})
		if got := due(); got != 0 {
			t.Errorf("%d partitions are looked at when all is read", got)
		}
		n.elect(t, "t")
		if got := due(); got != partitions {
			t.Errorf("%d partitions are looked at after an election of all", got)
		}
	})
}

// What waits in a session is woken by any of its partitions, with all that its
// partitions have got.
func TestItem57_AWaitingSessionIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := withPartitions(t, 3)
		d := &dialogue{client: n.client(t), version: 11}
		d.expect("0:0 1:0 2:0", map[int32]int64{0: 0, 1: 0, 2: 0})
		for _, test := range []struct {
			name     string
			isolated int8
			minBytes int32
			appends  []int32
		}{
			{"the first byte", 0, 1, []int32{1}},
			{"min.bytes of several", 0, int32(3 * len(batch(t, "v"))), []int32{0, 2, 0}},
			{"read_committed", 1, int32(2 * len(batch(t, "v"))), []int32{1, 1}},
		} {
			req := kmsg.NewPtrFetchRequest()
			req.Version, req.SessionID, req.SessionEpoch, req.IsolationLevel = 11, d.id, d.epoch, test.isolated
			req.MaxBytes, req.MinBytes, req.MaxWaitMillis = 1<<20, test.minBytes, 60_000
			begin, id := time.Now(), d.send(req)
			for _, index := range test.appends {
				elapse(time.Second)
				n.append(t, "t", index, "v")
			}
			resp := d.receive(req, id).(*kmsg.FetchResponse)
			records, read := 0, map[int32]int64{}
			for _, topic := range resp.Topics {
				for _, p := range topic.Partitions {
					records += len(values(t, p.RecordBatches))
					read[p.Partition] = p.HighWatermark
				}
			}
			if took := time.Since(begin); records != len(test.appends) || took != time.Duration(len(test.appends))*time.Second {
				t.Errorf("%s: %d records after %v, want %d with the last append", test.name, records, took, len(test.appends))
			}
			d.epoch++
			d.expect("", read)
		}
	})
}

// W19: a fetch of 100,000 partitions is answered; its session counts as what
// it is, and the cache has a bound.
func TestW19_FetchOfManyPartitions(t *testing.T) {
	n := start(t, setup{static: map[string]string{"max.incremental.fetch.session.cache.slots": "300"}})
	n.create(t, "t")
	const partitions = 100_000
	req := fetchFrom(11, "t", [16]byte{}, 0)
	req.SessionEpoch, req.MaxWaitMillis = 0, 60_000
	req.Topics[0].Partitions = make([]kmsg.FetchRequestTopicPartition, partitions)
	for i := range req.Topics[0].Partitions {
		req.Topics[0].Partitions[i] = kmsg.NewFetchRequestTopicPartition()
		req.Topics[0].Partitions[i].Partition = int32(i)
	}
	c := n.client(t)
	go c.sendQuietly(req)
	resp := c.receive(req, 1).(*kmsg.FetchResponse)
	if len(resp.Topics[0].Partitions) != partitions || resp.Topics[0].Partitions[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Fatalf("%d partitions are answered", len(resp.Topics[0].Partitions))
	}
	if resp.SessionID != 0 {
		t.Errorf("the session of %d partitions is beyond the bound of %d", partitions, 300*partitionsPerSlot)
	}
	if sessions := n.Broker.sessions; sessions.partitions != 0 || sessions.Len() != 0 {
		t.Errorf("%d sessions with %d partitions are kept", sessions.Len(), sessions.partitions)
	}
	again := kmsg.NewPtrFetchRequest()
	again.Version, again.SessionID, again.SessionEpoch = 11, 7, 3
	if resp := ask[*kmsg.FetchResponse](n.client(t), again); resp.ErrorCode != kerr.FetchSessionIDNotFound.Code {
		t.Errorf("an epoch of a session that is not: %v", kerr.ErrorForCode(resp.ErrorCode))
	}
}

// A session that grows beyond what is left of the cache ends, and its client
// begins anew.
func TestItem57_ASessionThatGrowsTooLargeEnds(t *testing.T) {
	s := newSessions(1)
	now := time.Now()
	first, err := s.begin(&wire.FetchRequest{Version: 11, Partitions: 5}, now)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	for i := range int32(5) {
		first.parts[partKey{index: i}] = &fetchPart{}
	}
	s.end(first)
	grown := &wire.FetchRequest{Version: 11, SessionID: first.id, SessionEpoch: 1, Partitions: partitionsPerSlot}
	if _, err := s.begin(grown, now); err != kerr.FetchSessionIDNotFound || s.Len() != 0 || s.partitions != 0 {
		t.Errorf("%v, %d sessions with %d partitions", err, s.Len(), s.partitions)
	}
}

func TestNextEpoch(t *testing.T) {
	if got := nextEpoch(math.MaxInt32); got != 1 {
		t.Errorf("after the largest epoch comes %d, want 1", got)
	}
}
