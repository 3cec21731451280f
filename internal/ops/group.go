package ops

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Group is a consumer group as lists show it.
type Group struct {
	Name         string `json:"name"`
	State        string `json:"state"`
	ProtocolType string `json:"protocol_type"`
	// GroupType is the protocol by which members join, classic or consumer
	// (KIP-848); brokers before Kafka 3.8 don't say in lists.
	GroupType   string `json:"group_type,omitempty"`
	Coordinator int32  `json:"coordinator"`
}

// GroupDetail is a group with its members and its lag.
type GroupDetail struct {
	Group
	// Protocol is the assignor.
	Protocol string `json:"protocol"`
	// Epoch and AssignmentEpoch differ while a group of the consumer protocol
	// has no assignment for its newest members and subscriptions.
	Epoch           int32      `json:"epoch,omitempty"`
	AssignmentEpoch int32      `json:"assignment_epoch,omitempty"`
	Members         []Member   `json:"members"`
	Lag             int64      `json:"lag"`
	Parts           []GroupLag `json:"partitions"`
}

// Member is one member of a group.
type Member struct {
	ID         string `json:"id"`
	InstanceID string `json:"instance_id,omitempty"`
	ClientID   string `json:"client_id"`
	Host       string `json:"host"`
	// Epoch is below the group's while a member of the consumer protocol gives
	// partitions up.
	Epoch    int32      `json:"epoch,omitempty"`
	Assigned []Assigned `json:"assigned"`
}

// Assigned are partitions of a topic that a member has.
type Assigned struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// GroupLag is how far a group is in one partition. Committed is -1 where the
// group has no offset, and Lag counts from the start then.
type GroupLag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Member    string `json:"member,omitempty"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
}

// Groups lists all groups by name.
func (c *Cluster) Groups(ctx context.Context) ([]Group, error) {
	groups := []Group{}
	// kadm leaves out the type of a group.
	for _, shard := range c.client.RequestSharded(ctx, kmsg.NewPtrListGroupsRequest()) {
		err := shard.Err
		if err == nil {
			err = kerr.ErrorForCode(shard.Resp.(*kmsg.ListGroupsResponse).ErrorCode)
		}
		if err != nil {
			return nil, c.explain("list groups", err)
		}
		for _, g := range shard.Resp.(*kmsg.ListGroupsResponse).Groups {
			groups = append(groups, Group{
				Name: g.Group, State: g.GroupState, ProtocolType: g.ProtocolType, GroupType: g.GroupType, Coordinator: shard.Meta.NodeID,
			})
		}
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups, nil
}

// DescribeGroup returns members and lag of one group. A group of the consumer
// protocol is to DescribeGroups one that is not there, or dead to its old
// versions: then ConsumerGroupDescribe is asked.
func (c *Cluster) DescribeGroup(ctx context.Context, name string) (GroupDetail, error) {
	doing := "describe group " + name
	lags, err := c.admin.Lag(ctx, name)
	if err != nil {
		return GroupDetail{}, c.explain(doing, err)
	}
	d := lags[name]
	err = d.Error()
	if errors.Is(err, kerr.GroupIDNotFound) || err == nil && d.State == "Dead" {
		g, found, consumerErr := c.consumerGroup(ctx, name)
		if found || consumerErr != nil {
			return g, c.explain(doing, consumerErr)
		}
	}
	if err != nil {
		return GroupDetail{}, c.explain(doing, err)
	}
	if d.State == "Dead" && d.Lag.IsEmpty() {
		return GroupDetail{}, &Fault{
			Kind: NotFound, Code: CodeNoGroup, Message: "no group " + name,
			Hint: "a group exists while it has members or committed offsets", Try: "millrace group list",
		}
	}
	return groupDetail(d), nil
}

func groupDetail(d kadm.DescribedGroupLag) GroupDetail {
	g := GroupDetail{
		Group:    Group{Name: d.Group, State: d.State, ProtocolType: d.ProtocolType, GroupType: "classic", Coordinator: d.Coordinator.NodeID},
		Protocol: d.Protocol, Members: []Member{}, Parts: []GroupLag{},
	}
	for _, m := range d.Members {
		member := Member{ID: m.MemberID, InstanceID: text(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost, Assigned: []Assigned{}}
		if assignment, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assignment.Topics {
				member.Assigned = append(member.Assigned, Assigned{Topic: t.Topic, Partitions: slices.Sorted(slices.Values(t.Partitions))})
			}
			slices.SortFunc(member.Assigned, func(a, b Assigned) int { return strings.Compare(a.Topic, b.Topic) })
		}
		g.Members = append(g.Members, member)
	}
	g.addLag(d.Lag)
	return g
}

// addLag adds the partitions, each with the member that has it.
func (g *GroupDetail) addLag(lags kadm.GroupLag) {
	owners := map[TopicPartition]string{}
	for _, m := range g.Members {
		for _, t := range m.Assigned {
			for _, p := range t.Partitions {
				owners[TopicPartition{t.Topic, p}] = m.ID
			}
		}
	}
	for _, l := range lags.Sorted() {
		g.Parts = append(g.Parts, GroupLag{
			Topic: l.Topic, Partition: l.Partition, Member: owners[TopicPartition{l.Topic, l.Partition}],
			Committed: l.Commit.At, End: l.End.Offset, Lag: max(0, l.Lag),
		})
		g.Lag += max(0, l.Lag)
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
