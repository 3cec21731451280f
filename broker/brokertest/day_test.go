package brokertest_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/internal/proc"
)

// A group lives through a day in which nothing happens but its heartbeats: 28,800
// of a classic member, 17,280 of one of the consumer protocol. At its end the
// members are those of the beginning, in the same generation.
func TestVirtualGroupDay(t *testing.T) {
	eachProtocol(t, func(t *testing.T, b *brokertest.Cluster, protocol []kgo.Opt) {
		b.CreateTopic("t", 4, nil)
		o := newOwners(t)
		// The day is the group's: a fetch waits an hour for records.
		opts := append(protocol, kgo.ConsumeTopics("t"), kgo.FetchMaxWait(time.Hour), kgo.MetadataMaxAge(5*time.Minute))
		clients := []*mortal{o.member(b, "first", opts...), o.member(b, "second", opts...)}
		o.await(time.Minute, 2, 2)
		begin := generations(clients)
		<-time.After(24 * time.Hour)
		if end := generations(clients); !slices.Equal(begin, end) {
			t.Errorf("members and generations %v became %v", begin, end)
		}
		if counts := o.counts(); !slices.Equal(counts, []int{2, 2}) {
			t.Errorf("partitions by member: %v", counts)
		}
	})
}

type membership struct {
	member     string
	generation int32
}

func generations(clients []*mortal) (list []membership) {
	for _, c := range clients {
		member, generation := c.GroupMetadata()
		list = append(list, membership{member, generation})
	}
	return list
}

// BenchmarkVirtualGroupDay measures what a day of a group with two members
// costs, with broker, clients and all their requests: CPU seconds of the
// process. Virtual time is for tests, so each round is one.
func BenchmarkVirtualGroupDay(b *testing.B) {
	before, err := proc.Of(os.Getpid())
	if err != nil {
		b.Skip(err)
	}
	day := []testing.InternalTest{{Name: "day", F: TestVirtualGroupDay}}
	rounds := 0
	for b.Loop() {
		rounds++
		if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, day) {
			b.Fatal("the day failed")
		}
	}
	after, err := proc.Of(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	used := after.CPU - before.CPU
	b.ReportMetric(used.Seconds()/float64(2*rounds), "cpu-s/day") // one of each protocol
}
