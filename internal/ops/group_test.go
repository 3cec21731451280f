package ops

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// on returns operations on a broker of the test.
func on(t *testing.T, b *brokertest.Cluster) *Cluster {
	t.Helper()
	c, err := Open(b.Cluster())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// await asks again until it is so; the test's deadline ends it.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("no ", what)
		}
	}
}

// A group of the consumer protocol shows who is in it, what each has and how
// far the group is, as a classic one does.
func TestDescribeConsumerGroup(t *testing.T) {
	for _, protocol := range []string{"consumer", "classic"} {
		t.Run(protocol, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Topic("t", 2))
			c := on(t, b)
			b.Produce("t", "k", "v")
			opts := []kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ClientID("reader"), kgo.DisableAutoCommit()}
			if protocol == "consumer" {
				opts = append(opts, kgo.ServerSideBalancer())
			}
			reader := b.Kgo(opts...)
			var g GroupDetail
			await(t, "member with both partitions", func() bool {
				var err error
				g, err = c.DescribeGroup(t.Context(), "g")
				return err == nil && len(g.Members) == 1 && len(g.Members[0].Assigned) == 1 && len(g.Members[0].Assigned[0].Partitions) == 2
			})
			m := g.Members[0]
			if g.GroupType != protocol || m.ClientID != "reader" || m.Assigned[0].Topic != "t" || !slices.Equal(m.Assigned[0].Partitions, []int32{0, 1}) {
				t.Errorf("group: %+v", g)
			}
			if (protocol == "consumer") != (g.Epoch > 0 && m.Epoch > 0 && g.Protocol == "uniform") {
				t.Errorf("epochs: %+v", g)
			}
			if g.Lag != 1 || len(g.Parts) != 2 || g.Parts[0].Member != m.ID || g.Parts[1].Member != m.ID || g.Parts[0].Committed != -1 {
				t.Errorf("lag before a commit: %+v", g)
			}
			if reader.PollFetches(t.Context()).NumRecords() != 1 {
				t.Fatal("no record")
			}
			if err := reader.CommitUncommittedOffsets(t.Context()); err != nil {
				t.Fatal(err)
			}
			if g, err := c.DescribeGroup(t.Context(), "g"); err != nil || g.Lag != 0 {
				t.Errorf("lag after the commit: %+v %v", g, err)
			}
			list, err := c.Groups(t.Context())
			if err != nil || len(list) != 1 || list[0].GroupType != protocol || list[0].State != "Stable" {
				t.Errorf("list: %+v %v", list, err)
			}
			if err := reader.LeaveGroupContext(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
			await(t, "empty group", func() bool {
				g, err := c.DescribeGroup(t.Context(), "g")
				return err == nil && len(g.Members) == 0 && g.State == "Empty" && g.GroupType == protocol && len(g.Parts) > 0
			})
			_, err = c.DescribeGroup(t.Context(), "nope")
			_ = fault(t, err, NotFound, CodeNoGroup)
		})
	}
}
