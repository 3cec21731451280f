package brokertest_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// After every change each partition has one owner again.

func seedRebalanceJoin(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 4, nil)
		o := newOwners(t)
		opts := append(protocol, kgo.ConsumeTopics("t"))
		o.member(b, "first", opts...)
		o.await(time.Minute, 4)
		o.member(b, "second", opts...)
		o.await(time.Minute, 2, 2)
	})
}

// Who says goodbye is replaced at once, long before a session would be over.
func seedRebalanceLeave(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 4, nil)
		o := newOwners(t)
		opts := append(protocol, kgo.ConsumeTopics("t"))
		o.member(b, "first", opts...)
		second := o.member(b, "second", opts...)
		o.await(time.Minute, 2, 2)
		second.Close()
		o.await(15*time.Second, 4)
	})
}

// Who is killed is replaced when its session is over, and not before.
func seedRebalanceCrash(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 4, nil)
		o := newOwners(t)
		opts := append(protocol, kgo.ConsumeTopics("t"))
		o.member(b, "first", opts...)
		second := o.member(b, "second", opts...)
		o.await(time.Minute, 2, 2)
		begin := time.Now()
		second.kill()
		o.killed("second")
		o.await(2*time.Minute, 4)
		if took := time.Since(begin); took < 35*time.Second || took > 65*time.Second {
			t.Errorf("replaced after %v, want about the session timeout of 45 s", took)
		}
	})
}

// More partitions, and a topic that comes and matches a pattern.
func seedRebalanceTopicChange(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("logs-a", 2, nil)
		o := newOwners(t)
		opts := append(protocol, kgo.ConsumeRegex(), kgo.ConsumeTopics("logs-.*"))
		o.member(b, "first", opts...)
		o.member(b, "second", opts...)
		o.await(time.Minute, 1, 1)

		req := kmsg.NewPtrCreatePartitionsRequest()
		topic := kmsg.NewCreatePartitionsRequestTopic()
		topic.Topic, topic.Count = "logs-a", 4
		req.Topics, req.TimeoutMillis = append(req.Topics, topic), 10_000
		if resp, err := req.RequestWith(t.Context(), b.Kgo()); err != nil || resp.Topics[0].ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		o.await(2*time.Minute, 2, 2)

		b.CreateTopic("logs-b", 2, nil)
		b.CreateTopic("other", 2, nil)
		o.await(2*time.Minute, 3, 3)
	})
}
