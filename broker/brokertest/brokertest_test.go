package brokertest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProduceConsume(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("orders", 3))
	b.Produce("orders", "k1", "v1", "k2", "v2")
	client := b.Kgo(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	got := map[string]string{}
	for len(got) < 2 {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[string(r.Key)] = string(r.Value) })
	}
	if got["k1"] != "v1" || got["k2"] != "v2" {
		t.Fatalf("read %v", got)
	}
}

// What was acked, committed and created survives a clean stop, and so does the
// cluster's id.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	first := brokertest.Start(t, brokertest.Dir(dir), brokertest.Topic("orders", 1))
	id := first.Broker().ClusterID()
	first.Produce("orders", "k", "v")
	first.Close()
	second := brokertest.Start(t, brokertest.Dir(dir))
	if got := second.Broker().ClusterID(); got != id {
		t.Errorf("cluster id %s became %s", id, got)
	}
	client := second.Kgo(kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	fetches := client.PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	if r := fetches.Records()[0]; string(r.Value) != "v" {
		t.Fatalf("read %q", r.Value)
	}
}

// A producer and a consumer group live through a day of virtual time: a record
// a minute, heartbeats and metadata refreshes in between.
func TestVirtualDay(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("ticks", 1, nil)
		producer := b.Kgo()
		consumer := b.Kgo(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("ticks"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		begin := time.Now()
		for minute := range 24 * 60 {
			record := &kgo.Record{Topic: "ticks", Value: fmt.Append(nil, minute)}
			if err := producer.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
			for seen := false; !seen; {
				fetches := consumer.PollFetches(t.Context())
				if err := fetches.Err(); err != nil {
					t.Fatalf("minute %d: %v", minute, err)
				}
				fetches.EachRecord(func(r *kgo.Record) { seen = seen || string(r.Value) == fmt.Sprint(minute) })
			}
			<-time.After(time.Minute - time.Since(begin)%time.Minute)
		}
		if passed := time.Since(begin); passed < 24*time.Hour {
			t.Errorf("only %v passed", passed)
		}
		if err := consumer.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Errorf("the group is not a member any more after a day: %v", err)
		}
	})
}
