package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// kilobytes is a batch of about that size.
func kilobytes(t fatal, n int) []byte { return batch(t, strings.Repeat("x", n<<10)) }

// The client of these tests is "test", as the harness sends it. A window is 11 s.

func TestItem13_ProduceAboveItsRateIsThrottledAndMuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		c, other := n.client(t), n.client(t)
		mustAlterQuotas(other, "client-id=test producer_byte_rate=1024")
		begin := time.Now()
		if resp := ask[*kmsg.ProduceResponse](c, produceTo(9, 1, "t", [16]byte{}, 0, kilobytes(t, 5))); resp.ThrottleMillis != 0 {
			t.Errorf("throttled for %d ms within a window's worth", resp.ThrottleMillis)
		}
		resp := ask[*kmsg.ProduceResponse](c, produceTo(9, 1, "t", [16]byte{}, 0, kilobytes(t, 16)))
		if resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("the batch that throttles is not appended: %v", resp.Topics[0].Partitions[0])
		}
		// 21 KiB and a little at 1 KiB/s, of which 11 KiB were saved up.
		if got := resp.ThrottleMillis; got < 10_000 || got > 11_000 {
			t.Errorf("throttled for %d ms, want about 10 s", got)
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("the answer took %v, it should leave at once (KIP-219)", took)
		}
		ask[*kmsg.ProduceResponse](c, produceTo(9, 1, "t", [16]byte{}, 0, kilobytes(t, 1)))
		if took := time.Since(begin).Milliseconds(); took != int64(resp.ThrottleMillis) {
			t.Errorf("the next request was served after %d ms, want %d", took, resp.ThrottleMillis)
		}
	})
}

func TestItem13_PipelinedProducesAreMutedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		mustAlterQuotas(n.client(t), "client-id=test producer_byte_rate=1024")
		c, begin := n.client(t), time.Now()
		req := produceTo(9, 1, "t", [16]byte{}, 0, kilobytes(t, 12))
		ids := []int32{c.send(req), c.send(req)}
		throttle := c.receive(req, ids[0]).(*kmsg.ProduceResponse).ThrottleMillis
		c.receive(req, ids[1])
		if took := time.Since(begin).Milliseconds(); throttle == 0 || took != int64(throttle) {
			t.Errorf("the second of two requests was served after %d ms, the throttle time was %d ms", took, throttle)
		}
	})
}

func TestItem13_AFetchAboveItsRateIsThrottledAndThenAnsweredWithNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		n.append(t, "t", 0, strings.Repeat("x", 16<<10))
		mustAlterQuotas(n.client(t), "client-id consumer_byte_rate=1024")
		for _, test := range []struct {
			name    string
			session int32
		}{{"without session", -1}, {"with a session", 0}} {
			fetch := fetchFrom(11, "t", [16]byte{}, 0)
			fetch.SessionEpoch = test.session
			c, begin := n.client(t), time.Now()
			first := ask[*kmsg.FetchResponse](c, fetch)
			if len(first.Topics) != 1 || first.ThrottleMillis < 4000 {
				t.Fatalf("%s: %d topics, throttled for %d ms; the batch leaves, and then 5 s pass", test.name, len(first.Topics), first.ThrottleMillis)
			}
			// Another connection of the same client comes while it is in debt.
			again := ask[*kmsg.FetchResponse](n.client(t), fetch)
			if len(again.Topics) != 0 || again.ThrottleMillis == 0 || again.SessionID != 0 || again.ErrorCode != 0 {
				t.Errorf("%s: in debt: %+v", test.name, again)
			}
			if took := time.Since(begin); took != 0 {
				t.Errorf("%s: answers took %v", test.name, took)
			}
			next := fetchFrom(11, "t", [16]byte{}, 0)
			if test.session == 0 {
				next.Topics, next.SessionID, next.SessionEpoch = nil, first.SessionID, 1
				next.MaxWaitMillis = 0
			}
			if resp := ask[*kmsg.FetchResponse](c, next); resp.ErrorCode != 0 {
				t.Errorf("%s: afterwards: %+v", test.name, resp)
			}
			if took := time.Since(begin).Milliseconds(); took < int64(first.ThrottleMillis) {
				t.Errorf("%s: served again after %d ms, want %d", test.name, took, first.ThrottleMillis)
			}
			elapse(time.Minute)
		}
	})
}

// The first answer of a session to a client in debt is empty; the session's
// partitions must come all the same.
func TestAThrottledSessionLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t", "debt")
		mustAlterQuotas(n.client(t), "client-id=test consumer_byte_rate=1024")
		open := fetchFrom(11, "t", [16]byte{}, 0)
		open.SessionEpoch, open.MaxWaitMillis = 0, 0
		c := n.client(t)
		session := ask[*kmsg.FetchResponse](c, open)
		n.append(t, "debt", 0, strings.Repeat("x", 32<<10))
		ask[*kmsg.FetchResponse](n.client(t), fetchFrom(11, "debt", [16]byte{}, 0))
		n.append(t, "t", 0, "value")
		next := kmsg.NewPtrFetchRequest()
		next.Version, next.MaxBytes, next.SessionID, next.SessionEpoch = 11, 1<<20, session.SessionID, 1
		if resp := ask[*kmsg.FetchResponse](c, next); resp.ErrorCode != 0 || len(resp.Topics) != 0 || resp.SessionID != session.SessionID {
			t.Fatalf("in debt: %+v", resp)
		}
		next.SessionEpoch = 2
		if resp := ask[*kmsg.FetchResponse](c, next); resp.ErrorCode != 0 || len(resp.Topics) != 1 {
			t.Fatalf("out of debt: %+v", resp)
		}
	})
}

func TestItem13_RequestTimeIsThrottled(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	mustAlterQuotas(c, "client-id=test request_percentage=0.0000001") // nanoseconds of a second
	req := kmsg.NewPtrListGroupsRequest()
	req.Version = 4
	var got int32
	for range 3 {
		if got = ask[*kmsg.ListGroupsResponse](n.client(t), req).ThrottleMillis; got > 0 {
			break
		}
	}
	if got != 1000 {
		t.Errorf("throttled for %d ms, want quota.window.size.seconds, which is the most", got)
	}
	if fetched := ask[*kmsg.FetchResponse](n.client(t), fetchFrom(11, "t", [16]byte{}, 0)); fetched.ThrottleMillis != 1000 {
		t.Errorf("a Fetch is throttled for %d ms", fetched.ThrottleMillis)
	}
}

func TestItem13_PartitionMutationsAreRefusedOrThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		mustAlterQuotas(n.client(t), "client-id=test controller_mutation_rate=1")
		create := func(version int16, partitions int32, names ...string) *kmsg.CreateTopicsResponse {
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Version, req.TimeoutMillis = version, 1000
			for _, name := range names {
				topic := kmsg.NewCreateTopicsRequestTopic()
				topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
				req.Topics = append(req.Topics, topic)
			}
			return ask[*kmsg.CreateTopicsResponse](n.client(t), req)
		}
		codes := func(resp *kmsg.CreateTopicsResponse) map[string]int16 {
			m := map[string]int16{}
			for _, topic := range resp.Topics {
				m[topic.Topic] = topic.ErrorCode
			}
			return m
		}
		// Eleven may be made at once; what is refused by itself costs nothing.
		refused := kerr.ThrottlingQuotaExceeded.Code
		if got := codes(create(7, 100, "..")); got[".."] != kerr.InvalidTopicException.Code {
			t.Fatalf("got %v", got)
		}
		resp := create(7, 10, "a", "b", "c")
		if got := codes(resp); got["a"] != 0 || got["b"] != 0 || got["c"] != refused {
			t.Errorf("strict: got %v, want the one refused that comes when the client is in debt", got)
		}
		if resp.ThrottleMillis != 9000 {
			t.Errorf("throttled for %d ms, want 9 s for 20 partitions", resp.ThrottleMillis)
		}
		if resp := create(5, 2, "d"); codes(resp)["d"] != 0 || resp.ThrottleMillis != 11_000 {
			t.Errorf("a client that does not know the error: %v, %d ms", codes(resp), resp.ThrottleMillis)
		}
		more := kmsg.NewPtrCreatePartitionsRequest()
		more.Version, more.TimeoutMillis = 3, 1000
		more.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "a", Count: 12}}
		if resp := ask[*kmsg.CreatePartitionsResponse](n.client(t), more); resp.Topics[0].ErrorCode != refused || resp.ThrottleMillis == 0 {
			t.Errorf("CreatePartitions: %+v", resp)
		}
		del := kmsg.NewPtrDeleteTopicsRequest()
		del.Version, del.TimeoutMillis, del.TopicNames = 5, 1000, []string{"a"}
		if resp := ask[*kmsg.DeleteTopicsResponse](n.client(t), del); resp.Topics[0].ErrorCode != refused || resp.ThrottleMillis == 0 {
			t.Errorf("DeleteTopics: %+v", resp)
		}
		elapse(12 * time.Second)
		if resp := ask[*kmsg.DeleteTopicsResponse](n.client(t), del); resp.Topics[0].ErrorCode != 0 {
			t.Errorf("DeleteTopics, out of debt: %+v", resp)
		}
	})
}

// Quotas that are not met cost no allocation either.
func TestQuotasAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop items under the race detector")
	}
	n := start(t, setup{})
	mustAlterQuotas(n.client(t), "client-id producer_byte_rate=1000000000000 consumer_byte_rate=1000000000000 request_percentage=1000000")
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 1, Replicas: 1})
	n.append(t, "t", 0, "value")
	for name, round := range map[string]func(){
		"Produce": n.produceRound(t, "client"), "Fetch": n.fetchRound(t, "client"),
	} {
		for range 200 {
			round()
		}
		if got := testing.AllocsPerRun(500, round); got >= 1 {
			t.Errorf("%s: %v allocations per request, want 0", name, got)
		}
	}
}
