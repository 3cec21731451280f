package ops

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/cluster"
)

func open(t *testing.T) *Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c, err := Open(cluster.Profile{Bootstrap: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func fault(t *testing.T, err error, kind Kind, code string) *Fault {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Fatalf("got %#v, want kind %d, code %s", err, kind, code)
	}
	return f
}

func TestTopics(t *testing.T) {
	c, ctx := open(t), t.Context()
	made, err := c.CreateTopic(ctx, TopicSpec{Name: "a", Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1000"}})
	if err != nil || made.Partitions != 3 {
		t.Fatalf("%+v %v", made, err)
	}
	if _, err := c.CreateTopic(ctx, TopicSpec{Name: "a", Partitions: 1, ReplicationFactor: 1}); err == nil {
		t.Fatal("created twice")
	} else {
		_ = fault(t, err, Conflict, CodeTopicExists)
	}
	d, err := c.DescribeTopic(ctx, "a")
	if err != nil || len(d.Parts) != 3 || d.Configs["retention.ms"] != "1000" {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = c.DescribeTopic(ctx, "nope")
	_ = fault(t, err, NotFound, CodeNoTopic)
	list, err := c.Topics(ctx, false)
	if err != nil || len(list) != 1 || list[0].Name != "a" {
		t.Fatalf("%+v %v", list, err)
	}
}

// L5: of several topics each says what became of it.
func TestL5DeleteSome(t *testing.T) {
	c := open(t)
	if _, err := c.CreateTopic(t.Context(), TopicSpec{Name: "a", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	results, err := c.DeleteTopics(t.Context(), "a", "nope")
	_ = fault(t, err, Partial, CodePartial)
	if len(results) != 2 || results[0].Err != nil || results[1].Err == nil {
		t.Fatalf("%+v", results)
	}
}

func consumed(t *testing.T, c *Cluster, q Consume) []string {
	t.Helper()
	var got []string
	if err := c.Consume(t.Context(), q, func(r *kgo.Record) bool {
		got = append(got, fmt.Sprintf("%s=%s", r.Key, r.Value))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestProduceConsume(t *testing.T) {
	c := open(t)
	if _, err := c.CreateTopic(t.Context(), TopicSpec{Name: "a", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	n, err := c.Produce(t.Context(), strings.NewReader("k1:v1\nk2:\nk3:no newline at the end"), Produce{Topic: "a", Separator: ":", Partition: -1})
	if err != nil || n != 3 {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := c.Produce(t.Context(), strings.NewReader(""), Produce{Topic: "a", Partition: -1}); err != nil || n != 0 {
		t.Fatalf("L4: empty input: %d %v", n, err)
	}
	for from, want := range map[string]int{"start": 3, "end": 0, "1": 2, "-1": 1, "-99": 3, "@1970-01-01T00:00:01Z": 3} {
		f, err := ParseFrom(from, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := consumed(t, c, Consume{Topics: []string{"a"}, From: f}); len(got) != want {
			t.Errorf("from %s: %v, want %d records", from, got, want)
		}
	}
	if got := consumed(t, c, Consume{Topics: []string{"a"}, Max: 2}); len(got) != 2 {
		t.Errorf("-n 2 gave %v", got)
	}
}

// A group reads each record once over two runs, because the first commits.
func TestConsumeByGroup(t *testing.T) {
	c := open(t)
	if _, err := c.CreateTopic(t.Context(), TopicSpec{Name: "a", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Produce(t.Context(), strings.NewReader("1\n2\n3\n"), Produce{Topic: "a", Partition: -1}); err != nil {
		t.Fatal(err)
	}
	first := consumed(t, c, Consume{Topics: []string{"a"}, Group: "g", Max: 2})
	second := consumed(t, c, Consume{Topics: []string{"a"}, Group: "g"})
	if len(first) != 2 || len(second) != 1 || second[0] != "=3" {
		t.Fatalf("first %v, then %v", first, second)
	}
	g, err := c.DescribeGroup(t.Context(), "g")
	if err != nil || g.Lag != 0 || len(g.Parts) != 1 || g.Parts[0].Committed != 3 {
		t.Fatalf("%+v %v", g, err)
	}
	_, err = c.DescribeGroup(t.Context(), "nope")
	_ = fault(t, err, NotFound, CodeNoGroup)
}

// L8: an offset beyond the end says which would be valid.
func TestL8OffsetBeyondEnd(t *testing.T) {
	c := open(t)
	if _, err := c.CreateTopic(t.Context(), TopicSpec{Name: "a", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	f, _ := ParseFrom("42", time.Now())
	err := c.Consume(t.Context(), Consume{Topics: []string{"a"}, From: f}, func(*kgo.Record) bool { return true })
	if got := fault(t, err, Failed, CodeOffsets); !strings.Contains(got.Hint, "0 to 0") {
		t.Errorf("hint: %s", got.Hint)
	}
}

// L2: no broker there is said with the address, within the timeout.
func TestL2Unreachable(t *testing.T) {
	c, err := Open(cluster.Profile{Bootstrap: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Topics(t.Context(), false)
	if f := fault(t, err, Unreachable, CodeUnreachable); !strings.Contains(f.Error(), "127.0.0.1:1") || f.Try == "" {
		t.Errorf("%v (%+v)", f, f)
	}
}

// Who is not allowed to is told so, and scripts can tell it from a failure.
func TestUnauthorized(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	fake.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
		topic := kmsg.NewCreateTopicsResponseTopic()
		topic.Topic, topic.ErrorCode = r.(*kmsg.CreateTopicsRequest).Topics[0].Topic, kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	c, err := Open(cluster.Profile{Bootstrap: fake.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.CreateTopic(t.Context(), TopicSpec{Name: "a", Partitions: 1, ReplicationFactor: 1})
	if f := fault(t, err, Unauthorized, CodeUnauthorized); !strings.Contains(f.Error(), "TOPIC_AUTHORIZATION_FAILED") {
		t.Error(f)
	}
}
