package ops

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Group is a consumer group as lists show it.
type Group struct {
	Name         string `json:"name"`
	State        string `json:"state"`
	ProtocolType string `json:"protocol_type"`
	Coordinator  int32  `json:"coordinator"`
}

// GroupDetail is a group with its members and its lag.
type GroupDetail struct {
	Group
	Protocol string     `json:"protocol"`
	Members  []Member   `json:"members"`
	Lag      int64      `json:"lag"`
	Parts    []GroupLag `json:"partitions"`
}

// Member is one member of a group.
type Member struct {
	ID         string `json:"id"`
	InstanceID string `json:"instance_id,omitempty"`
	ClientID   string `json:"client_id"`
	Host       string `json:"host"`
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
	listed, err := c.admin.ListGroups(ctx)
	if err != nil {
		return nil, c.explain("list groups", err)
	}
	groups := []Group{}
	for _, g := range listed.Sorted() {
		groups = append(groups, Group{Name: g.Group, State: g.State, ProtocolType: g.ProtocolType, Coordinator: g.Coordinator})
	}
	return groups, nil
}

// DescribeGroup returns members and lag of one group.
func (c *Cluster) DescribeGroup(ctx context.Context, name string) (GroupDetail, error) {
	lags, err := c.admin.Lag(ctx, name)
	if err != nil {
		return GroupDetail{}, c.explain("describe group "+name, err)
	}
	d := lags[name]
	if err := d.Error(); err != nil {
		return GroupDetail{}, c.explain("describe group "+name, err)
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
		Group:    Group{Name: d.Group, State: d.State, ProtocolType: d.ProtocolType, Coordinator: d.Coordinator.NodeID},
		Protocol: d.Protocol, Members: []Member{}, Parts: []GroupLag{},
	}
	for _, m := range d.Members {
		member := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			member.InstanceID = *m.InstanceID
		}
		g.Members = append(g.Members, member)
	}
	for _, l := range d.Lag.Sorted() {
		lag := GroupLag{Topic: l.Topic, Partition: l.Partition, Committed: l.Commit.At, End: l.End.Offset, Lag: max(0, l.Lag)}
		if l.Member != nil {
			lag.Member = l.Member.MemberID
		}
		g.Parts, g.Lag = append(g.Parts, lag), g.Lag+lag.Lag
	}
	return g
}
