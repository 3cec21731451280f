package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
)

func TestListBounds(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("t", 2), brokertest.Topic("open", 1))
	b.Produce("open", "k", "v")
	writer := b.Kgo(kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("open"))
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := writer.ProduceSync(t.Context(), kgo.StringRecord("uncommitted")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got, err := cluster.ListBounds(t.Context(), b.Kgo(), time.Minute, "t", "open")
	if err != nil || len(got["t"]) != 2 || got["t"][1] != (cluster.Bounds{}) || got["open"][0] != (cluster.Bounds{Start: 0, End: 1}) {
		t.Errorf("%v %v", got, err)
	}
	if got, err := cluster.ListBounds(t.Context(), b.Kgo(), 0); err != nil || len(got) != 0 {
		t.Errorf("of no topic: %v %v", got, err)
	}
	if _, err := cluster.ListBounds(t.Context(), b.Kgo(), 0, "t", "missing"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("without patience: %v", err)
	}
	soon, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if _, err := cluster.ListBounds(soon, b.Kgo(), time.Hour, "missing"); err == nil {
		t.Error("a topic that never comes has bounds")
	}
}

// CreateTopics may be answered before every broker knows of the topic: what is
// asked of one that does not is asked again.
func TestListBoundsOfATopicThatIsNotKnownYet(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	unknown := 3
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked := req.(*kmsg.MetadataRequest)
		if len(asked.Topics) == 0 || unknown == 0 {
			return nil, nil, false
		}
		unknown--
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 0, Host: "127.0.0.1", Port: 1}}
		for _, topic := range asked.Topics {
			resp.Topics = append(resp.Topics, kmsg.MetadataResponseTopic{Topic: topic.Topic, ErrorCode: kerr.UnknownTopicOrPartition.Code})
		}
		return resp, nil, true
	})
	client, err := cluster.Profile{Bootstrap: c.ListenAddrs()}.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got, err := cluster.ListBounds(t.Context(), client, time.Minute, "t")
	if err != nil || len(got["t"]) != 3 || unknown != 0 {
		t.Errorf("%v %v, %d answers left", got, err, unknown)
	}
}
