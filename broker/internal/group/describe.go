package group

import "github.com/twmb/franz-go/pkg/kmsg"

// Describe is a DescribeGroups of this group. Protocol, subscriptions and
// assignments are shown only of a stable group: before, they are not agreed.
func (s *State) Describe(t *Turn) {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group = s.id
	d.State = s.phase.String()
	d.ProtocolType = s.protocolType
	if s.phase == Stable {
		d.Protocol = s.protocol
	}
	for _, m := range s.members.order {
		dm := kmsg.NewDescribeGroupsResponseGroupMember()
		dm.MemberID, dm.InstanceID = m.id, optional(m.instance)
		dm.ClientID, dm.ClientHost = m.client.ID, m.client.Host
		if s.phase == Stable {
			dm.ProtocolMetadata, _ = m.metadata(s.protocol)
			dm.MemberAssignment = m.assignment
		}
		d.Members = append(d.Members, dm)
	}
	t.settle(d)
}

// DescribeUnknown is the description of a group that nobody knows: Kafka's
// state Dead, without an error.
func DescribeUnknown(id string) Description {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group = id
	d.State = Dead.String()
	return d
}

// List is the group's line in ListGroups.
func (s *State) List() Listing {
	l := kmsg.NewListGroupsResponseGroup()
	l.Group = s.id
	l.ProtocolType = s.protocolType
	l.GroupState = s.phase.String()
	l.GroupType = "classic"
	return l
}
