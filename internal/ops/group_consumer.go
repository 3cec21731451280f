package ops

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// consumerGroup describes a group of the consumer protocol (KIP-848). A
// cluster that doesn't know the protocol has none.
func (c *Cluster) consumerGroup(ctx context.Context, name string) (g GroupDetail, found bool, err error) {
	described, err := c.admin.DescribeConsumerGroups(ctx, name)
	d := described[name]
	if err == nil {
		err = d.Err
	}
	if noConsumerGroup(err) {
		return GroupDetail{}, false, nil
	}
	if err != nil {
		return GroupDetail{}, false, err
	}
	g = GroupDetail{
		Group:    Group{Name: name, State: d.State, ProtocolType: "consumer", GroupType: "consumer", Coordinator: d.Coordinator.NodeID},
		Protocol: d.AssignorName, Epoch: d.Epoch, AssignmentEpoch: d.AssignmentEpoch, Members: []Member{}, Parts: []GroupLag{},
	}
	for _, m := range d.Members {
		member := Member{
			ID: m.MemberID, InstanceID: text(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost,
			Epoch: m.MemberEpoch, Assigned: []Assigned{},
		}
		for _, t := range m.Assignment.Sorted() {
			member.Assigned = append(member.Assigned, Assigned{Topic: t.Topic, Partitions: t.Partitions})
		}
		g.Members = append(g.Members, member)
	}
	lag, err := c.lagOf(ctx, d)
	g.addLag(lag)
	return g, true, err
}

// noConsumerGroup reports whether the answer is that there is no such group, or
// no answer could be had because no broker knows the request: the client says
// so itself, where a broker would send a code.
func noConsumerGroup(err error) bool {
	var k *kerr.Error
	if err == nil || Unreached(err) || errors.Is(err, context.Canceled) {
		return false
	}
	return !errors.As(err, &k) || errors.Is(k, kerr.GroupIDNotFound) || errors.Is(k, kerr.UnsupportedVersion)
}

// lagOf is kadm's Lag, which takes classic groups only. An assigned partition
// without an offset counts from its start.
func (c *Cluster) lagOf(ctx context.Context, d kadm.DescribedConsumerGroup) (kadm.GroupLag, error) {
	commits, err := c.admin.FetchOffsets(ctx, d.Group)
	if err != nil {
		return nil, err
	}
	d.AssignedPartitions().Each(func(topic string, partition int32) {
		if _, ok := commits.Lookup(topic, partition); !ok {
			commits.Add(kadm.OffsetResponse{Offset: kadm.Offset{Topic: topic, Partition: partition, At: -1, LeaderEpoch: -1}})
		}
	})
	if len(commits) == 0 {
		return nil, nil
	}
	topics := commits.Partitions().Topics()
	starts, err := c.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := c.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	return kadm.CalculateGroupLagWithStartOffsets(kadm.DescribedGroup{Group: d.Group}, commits, starts, ends), nil
}
