package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

func produce(t *testing.T, b *brokertest.Cluster, from, to int) {
	t.Helper()
	client := b.Kgo()
	for i := from; i < to; i++ {
		r := &kgo.Record{Topic: "orders", Key: []byte("k"), Value: fmt.Append(nil, i), Timestamp: time.Now().Add(-time.Hour * time.Duration(10-i))}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// numbers are the values that were printed.
func numbers(printed string) string {
	var all []string
	for line := range strings.Lines(printed) {
		if strings.Contains(line, "offset") {
			fields := strings.Fields(line)
			all = append(all, fields[len(fields)-1])
		}
	}
	return strings.Join(all, " ")
}

// The group goes on where it was, unless it is told to seek.
func TestGroupAndSeek(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("orders", 1))
	produce(t, b, 0, 8)
	for _, step := range []struct {
		seek string
		n    int
		want string
	}{
		{"", 4, "0 1 2 3"},
		{"", 4, "4 5 6 7"},
		{"start", 3, "0 1 2"},
		{"4h30m", 2, "6 7"}, // a record an hour, the last one three hours ago
	} {
		var out strings.Builder
		c := consumer{topic: "orders", group: "g", seek: step.seek, count: step.n, out: &out}
		if err := c.run(t.Context(), kgo.SeedBrokers(b.Addrs()...)); err != nil {
			t.Fatal(err)
		}
		if got := numbers(out.String()); got != step.want {
			t.Errorf("--seek %q read %s, expected %s", step.seek, got, step.want)
		}
		if !strings.Contains(out.String(), "assigned: partitions [0]") {
			t.Errorf("not told what was assigned:\n%s", out.String())
		}
	}
	if err := (consumer{topic: "orders", group: "g", seek: "yesterday", out: io.Discard}).run(t.Context()); err == nil {
		t.Error("--seek yesterday was understood")
	}
}

// What was read is committed within five seconds, without a word of the
// program: here in virtual time.
func TestAutoCommit(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, b *brokertest.Cluster) {
		b.CreateTopic("orders", 1, nil)
		produce(t, b, 0, 8)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		opts, err := b.Cluster().Options()
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- consumer{topic: "orders", group: "g", out: io.Discard}.run(ctx, opts...) }()
		admin := kadm.NewClient(b.Kgo())
		committed := func() int64 {
			offsets, err := admin.FetchOffsets(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			at, ok := offsets.Lookup("orders", 0)
			if !ok {
				return -1
			}
			return at.At
		}
		<-time.After(commitEvery / 2)
		synctest.Wait()
		if at := committed(); at > 0 {
			t.Errorf("offset %d is committed before its time", at)
		}
		<-time.After(commitEvery)
		synctest.Wait()
		if at := committed(); at != 8 {
			t.Errorf("offset %d is committed after %v, expected 8", at, commitEvery+commitEvery/2)
		}
		cancel()
		<-ended
	})
}
