package group

import "github.com/twmb/franz-go/pkg/kmsg"

// Describe is a DescribeGroups of this group. Protocol, subscriptions and
// assignments are shown only of a stable group: before, they are not agreed. A
// group that nobody knows is Dead, without an error.
func (s *State) Describe(t *Turn) {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group = s.id
	d.State = s.phase.String()
	if s.Vacant() || s.consumer != nil {
		d.State = Dead.String() // consumer groups have a description of their own
		t.Settle(d)
		return
	}
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
	t.Settle(d)
}

// List is the group's line in ListGroups.
func (s *State) List() Listing {
	l := kmsg.NewListGroupsResponseGroup()
	l.Group = s.id
	l.ProtocolType = s.protocolType
	l.GroupState = s.Phase().String()
	l.GroupType = "classic"
	if s.consumer != nil {
		l.ProtocolType, l.GroupType = consumerProtocol, consumerKind
	}
	return l
}
