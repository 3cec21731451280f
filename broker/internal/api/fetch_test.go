package api

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/record"
)

// fetchFrom is a Fetch of one partition without a session.
func fetchFrom(version int16, topic string, id [16]byte, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes, req.MaxWaitMillis, req.SessionEpoch = version, 1<<20, 1, 500, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, 1<<20
	req.Topics = []kmsg.FetchRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return req
}

// fetched is the one partition of a response.
func fetched(c *client, req *kmsg.FetchRequest) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	resp := ask[*kmsg.FetchResponse](c, req)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		c.t.Fatalf("the response has error %d and topics %+v", resp.ErrorCode, resp.Topics)
	}
	return resp.Topics[0].Partitions[0]
}

func (n *node) append(t fatal, topic string, partition int32, values ...string) {
	t.Helper()
	c := n.client(t)
	if got := produced(c, produceTo(9, -1, topic, [16]byte{}, partition, batch(t, values...))); got.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(got.ErrorCode))
	}
	_ = c.conn.Close()
}

// values decodes record batches.
func values(t fatal, batches []byte) (out []string) {
	t.Helper()
	for len(batches) > 0 {
		b, rest, err := record.Next(batches)
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records() {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(r.Value))
		}
		batches = rest
	}
	return out
}

// What was produced comes back at every version, and the positions with it.
func TestItem61_FetchAtEveryVersion(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, "a", "b")
	n.append(t, "t", 0, "c")
	c, id := n.client(t), n.topicID(t, "t")
	for version := int16(wire.MinFetch); version <= wire.MaxFetch; version++ {
		for isolation := range int8(2) {
			req := fetchFrom(version, "t", id, 0)
			req.IsolationLevel = isolation
			got := fetched(c, req)
			if got.ErrorCode != 0 || got.HighWatermark != 3 || got.LastStableOffset != 3 || version >= 5 && got.LogStartOffset != 0 {
				t.Fatalf("v%d: %+v", version, got)
			}
			if v := values(t, got.RecordBatches); !slices.Equal(v, []string{"a", "b", "c"}) {
				t.Fatalf("v%d: %q", version, v)
			}
			// Item 48: null, not empty, for read_uncommitted.
			if (got.AbortedTransactions == nil) != (isolation == 0) {
				t.Fatalf("v%d isolation %d: aborted transactions %v", version, isolation, got.AbortedTransactions)
			}
		}
	}
}

// Items 54, 55, 58: what a fetch at an offset and with limits gives.
func TestFetchBounds(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, "a", "b", "c")
	n.append(t, "t", 0, "d")
	n.append(t, "t", 0, string(make([]byte, 5000)))
	one := len(batch(t, "a", "b", "c"))
	for _, test := range []struct {
		name      string
		offset    int64
		max, part int32
		records   int
		code      *kerr.Error
	}{
		{"from the start", 0, 1 << 20, 1 << 20, 5, nil},
		{"item 55: inside a batch, the whole batch", 1, 1 << 20, 1 << 20, 5, nil},
		{"the second batch", 3, 1 << 20, 1 << 20, 2, nil},
		{"item 58: at the end, empty", 5, 1 << 20, 1 << 20, 0, nil},
		{"item 58: beyond the end", 6, 1 << 20, 1 << 20, 0, kerr.OffsetOutOfRange},
		{"item 58: before the start", -1, 1 << 20, 1 << 20, 0, kerr.OffsetOutOfRange},
		{"item 54: limit of the partition cuts at a batch", 0, 1 << 20, int32(one + 10), 3, nil},
		{"item 54: limit of the request cuts at a batch", 0, int32(one + 10), 1 << 20, 3, nil},
		{"item 54: one batch even above all limits", 4, 1, 1, 1, nil},
		{"W18 negative limits", 0, -5, -5, 3, nil},
		{"W18 huge limits", 0, 1<<31 - 1, 1<<31 - 1, 5, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := fetchFrom(11, "t", [16]byte{}, test.offset)
			req.MaxWaitMillis, req.MaxBytes = 0, test.max
			req.Topics[0].Partitions[0].PartitionMaxBytes = test.part
			got := fetched(n.client(t), req)
			want := int16(0)
			if test.code != nil {
				want = test.code.Code
			}
			if got.ErrorCode != want {
				t.Fatalf("%v, want %v", kerr.ErrorForCode(got.ErrorCode), test.code)
			}
			if v := values(t, got.RecordBatches); len(v) != test.records {
				t.Errorf("%d records, want %d", len(v), test.records)
			}
		})
	}
}

// Item 63: fetch.max.bytes caps the response whatever the client asks for.
func TestItem63_FetchIsCappedByTheBroker(t *testing.T) {
	n := start(t, setup{static: map[string]string{"fetch.max.bytes": "1024"}})
	n.create(t, "t")
	for range 10 {
		n.append(t, "t", 0, string(make([]byte, 300)))
	}
	if v := values(t, fetched(n.client(t), fetchFrom(11, "t", [16]byte{}, 0)).RecordBatches); len(v) < 1 || len(v) > 3 {
		t.Errorf("%d records of 300 bytes in a response of at most 1024", len(v))
	}
}

// Item 53: a fetch waits for min.bytes on all its partitions together, and at
// most for its time.
func TestItem53_FetchWaits(t *testing.T) {
	two := func() *kmsg.FetchRequest {
		req := fetchFrom(11, "a", [16]byte{}, 0)
		other := fetchFrom(11, "b", [16]byte{}, 0)
		req.Topics = append(req.Topics, other.Topics...)
		req.MaxWaitMillis = 10_000
		return req
	}
	bubble := func(name string, f func(t *testing.T, n *node, c *client)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := start(t, setup{})
				n.create(t, "a", "b")
				f(t, n, n.client(t))
			})
		})
	}
	bubble("for the first byte", func(t *testing.T, n *node, c *client) {
		req := two()
		id := c.send(req)
		elapse(3 * time.Second)
		begin := time.Now()
		n.append(t, "b", 0, "v")
		resp := c.receive(req, id).(*kmsg.FetchResponse)
		if v := values(t, resp.Topics[1].Partitions[0].RecordBatches); !slices.Equal(v, []string{"v"}) || time.Since(begin) != 0 {
			t.Errorf("%q %v after the append", v, time.Since(begin))
		}
	})
	bubble("for min.bytes of both", func(t *testing.T, n *node, c *client) {
		req := two()
		req.MinBytes = int32(2 * len(batch(t, "v")))
		id := c.send(req)
		n.append(t, "a", 0, "v")
		elapse(time.Second)
		n.append(t, "b", 0, "v")
		resp := c.receive(req, id).(*kmsg.FetchResponse)
		for _, topic := range resp.Topics {
			if v := values(t, topic.Partitions[0].RecordBatches); len(v) != 1 {
				t.Errorf("%s has %q", topic.Topic, v)
			}
		}
	})
	bubble("at most max.wait.ms, with what there is", func(t *testing.T, n *node, c *client) {
		n.append(t, "a", 0, "v")
		req := two()
		req.MinBytes = 1 << 16
		begin := time.Now()
		resp := ask[*kmsg.FetchResponse](c, req)
		if took := time.Since(begin); took != 10*time.Second {
			t.Errorf("answered after %v, want 10 s", took)
		}
		if v := values(t, resp.Topics[0].Partitions[0].RecordBatches); len(v) != 1 {
			t.Errorf("%q, want the record that was there", v)
		}
	})
	bubble("W20 never longer than five minutes", func(t *testing.T, n *node, c *client) {
		req := two()
		req.MaxWaitMillis = 1<<31 - 1
		begin := time.Now()
		ask[*kmsg.FetchResponse](c, req)
		if took := time.Since(begin); took != maxFetchWait {
			t.Errorf("answered after %v", took)
		}
	})
	bubble("not for what only the page cache holds", func(t *testing.T, n *node, c *client) {
		n.holdFlushes()
		req := two()
		id := c.send(req)
		if got := produced(n.client(t), produceTo(9, 1, "a", [16]byte{}, 0, batch(t, "v"))); got.ErrorCode != 0 {
			t.Fatal(got)
		}
		begin := time.Now()
		elapse(time.Second)
		n.flush()
		resp := c.receive(req, id).(*kmsg.FetchResponse)
		if v := values(t, resp.Topics[0].Partitions[0].RecordBatches); len(v) != 1 || time.Since(begin) != time.Second {
			t.Errorf("%q after %v, want the record when it was flushed", v, time.Since(begin))
		}
	})
	bubble("not when the topic goes", func(t *testing.T, n *node, c *client) {
		req := two()
		id := c.send(req)
		elapse(time.Second)
		begin := time.Now()
		if _, err := n.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "b"}}); err != nil {
			t.Fatal(err)
		}
		resp := c.receive(req, id).(*kmsg.FetchResponse)
		if code := resp.Topics[1].Partitions[0].ErrorCode; code != kerr.UnknownTopicOrPartition.Code || time.Since(begin) != 0 {
			t.Errorf("%v after %v, want UNKNOWN_TOPIC_OR_PARTITION at once", kerr.ErrorForCode(code), time.Since(begin))
		}
	})
	bubble("not beside an error", func(t *testing.T, n *node, c *client) {
		req := two()
		req.Topics[1].Partitions[0].FetchOffset = 99
		begin := time.Now()
		ask[*kmsg.FetchResponse](c, req)
		if took := time.Since(begin); took != 0 {
			t.Errorf("answered after %v", took)
		}
	})
}

// Items 31, 59, 89: every reason why a partition is not served here.
func TestItem59_FetchErrors(t *testing.T) {
	n := start(t, setup{others: []int32{2}})
	n.create(t, "t")
	n.createTopic(t, controller.NewTopic{Name: "there", Partitions: -1, Replicas: -1, Assignment: []controller.Replicas{{Partition: 0, Brokers: []int32{2}}}})
	id, there := n.topicID(t, "t"), n.topicID(t, "there")
	for _, test := range []struct {
		name string
		req  *kmsg.FetchRequest
		edit func(*kmsg.FetchRequestTopicPartition)
		want *kerr.Error
	}{
		{"no such topic", fetchFrom(12, "nowhere", [16]byte{}, 0), nil, kerr.UnknownTopicOrPartition},
		{"no such partition", fetchFrom(12, "t", [16]byte{}, 0), func(p *kmsg.FetchRequestTopicPartition) { p.Partition = 9 }, kerr.UnknownTopicOrPartition},
		{"no such id", fetchFrom(13, "", [16]byte{1}, 0), nil, kerr.UnknownTopicID},
		{"another leader", fetchFrom(16, "", there, 0), nil, kerr.NotLeaderForPartition},
		{"leader epoch of the future", fetchFrom(16, "", id, 0), func(p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 99 }, kerr.UnknownLeaderEpoch},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.req.MaxWaitMillis = 0
			if test.edit != nil {
				test.edit(&test.req.Topics[0].Partitions[0])
			}
			resp := ask[*kmsg.FetchResponse](n.client(t), test.req)
			got, want := resp.Topics[0].Partitions[0], int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if got.ErrorCode != want {
				t.Fatalf("%v, want %v", kerr.ErrorForCode(got.ErrorCode), test.want)
			}
			if want == kerr.NotLeaderForPartition.Code && (got.CurrentLeader.LeaderID != 2 || len(resp.Brokers) != 1) {
				t.Errorf("the hint is %+v at %+v", got.CurrentLeader, resp.Brokers)
			}
		})
	}
}

// W21: nobody reads as a follower on a client's listener.
func TestW21_FollowersDoNotFetchHere(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	req := fetchFrom(11, "t", [16]byte{}, 0)
	req.ReplicaID = 2
	if resp := ask[*kmsg.FetchResponse](n.client(t), req); resp.ErrorCode != kerr.ClusterAuthorizationFailed.Code {
		t.Errorf("%v, want CLUSTER_AUTHORIZATION_FAILED", kerr.ErrorForCode(resp.ErrorCode))
	}
}

// A client that leaves while its fetch is parked leaves nothing behind, and
// its session can be used again.
func TestFetchOfAClientThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		c := n.client(t)
		req := fetchFrom(11, "t", [16]byte{}, 0)
		req.SessionEpoch, req.MaxWaitMillis = 0, 0
		session := ask[*kmsg.FetchResponse](c, req).SessionID
		req.SessionID, req.SessionEpoch, req.MaxWaitMillis = session, 1, 60_000
		c.send(req)
		synctest.Wait()
		_ = c.conn.Close()
		synctest.Wait()
		req.SessionEpoch, req.MaxWaitMillis = 2, 0
		if resp := ask[*kmsg.FetchResponse](n.client(t), req); resp.ErrorCode != 0 {
			t.Errorf("the session answers %v", kerr.ErrorForCode(resp.ErrorCode))
		}
	})
}

// Handling a Fetch allocates nothing once the broker is warm: answered at
// once, after a wait, and in a session.
func TestFetchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop items under the race detector")
	}
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, string(make([]byte, 1000)))
	id := n.topicID(t, "t")
	waker, _ := server.NewWaker()
	out := server.NewOut()
	var req server.Request
	serve := func(t fatal, version int16, body []byte, parked bool) []byte {
		req = server.Request{Header: wire.Header{Key: 1, Version: version}, Body: body, Waker: waker, Received: time.Now()}
		reply, err := n.Broker.Serve(&req)
		if err != nil {
			t.Fatal(err)
		}
		if reply.Ready() == parked {
			t.Fatalf("ready %v", reply.Ready())
		}
		reply.Expire()
		out.Reset()
		if err := reply.Encode(out); err != nil {
			t.Fatal(err)
		}
		reply.Release()
		return out.Buf
	}
	check := func(name string, round func()) {
		for range 100 {
			round()
		}
		if got := testing.AllocsPerRun(500, round); got != 0 {
			t.Errorf("%s: %v allocations per request, want 0", name, got)
		}
	}
	for _, version := range []int16{11, 16} {
		data := fetchFrom(version, "t", id, 0).AppendTo(nil)
		check("with records", func() {
			if !bytes.Contains(serve(t, version, data, false), make([]byte, 1000)) {
				t.Fatal("the records are missing")
			}
		})
		empty := fetchFrom(version, "t", id, 1).AppendTo(nil)
		check("parked", func() { serve(t, version, empty, true) })
	}
	session := n.Broker.sessions
	begin := fetchFrom(11, "t", id, 1)
	begin.SessionEpoch, begin.MaxWaitMillis = 0, 0
	serve(t, 11, begin.AppendTo(nil), false)
	more := kmsg.NewPtrFetchRequest()
	more.Version, more.MinBytes, more.MaxBytes, more.MaxWaitMillis = 11, 1, 1<<20, 500
	for more.SessionID = range session.byID {
	}
	body := more.AppendTo(nil)
	check("session", func() {
		epoch := session.byID[more.SessionID].epoch
		copy(body[21:], []byte{byte(epoch >> 24), byte(epoch >> 16), byte(epoch >> 8), byte(epoch)})
		serve(t, 11, body, true)
	})
}
