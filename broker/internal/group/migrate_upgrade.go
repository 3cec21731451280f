package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// becomeConsumer makes the group one of the consumer protocol, for a member
// that joins by it. A classic group without members simply is one from then on,
// one with members is migrated.
func (s *State) becomeConsumer(t *Turn, req *ConsumerBeatRequest) *refusal {
	if s.consumer != nil {
		return nil
	}
	if s.members.size() > 0 {
		if !s.upgradable(req) {
			return refuse(kerr.GroupIDNotFound, "Group "+s.id+" is not a consumer group.")
		}
		s.upgrade(t)
		return nil
	}
	if s.recorded {
		s.record(t, &MetadataRecord{Group: s.id})
	}
	clear(s.pending)
	s.asConsumer()
	return nil
}

// upgradable reports whether a classic group may go over to the consumer
// protocol while it has members: all of them speak of topics, and there is room
// for one more.
func (s *State) upgradable(req *ConsumerBeatRequest) bool {
	limit := s.opts.Consumer.MaxSize
	known := s.members.byID[req.MemberID] != nil || s.members.byInstance[deref(req.InstanceID)] != nil
	switch {
	case !s.opts.Consumer.Migration.Upgrade || s.protocolType != consumerProtocol:
		return false
	case limit > 0 && (s.members.size() > limit || s.members.size() == limit && !known):
		return false
	}
	size := 0
	for _, m := range s.members.order {
		for _, p := range m.protocols {
			size += recordOverhead + len(p.name) + 2*len(p.metadata)
		}
		size += recordOverhead + 2*len(m.assignment)
		if _, err := subscriptionOf(s.said(m)); err != nil {
			return false
		}
	}
	return size <= maxTurnBytes
}

// said is what a member says for the group's protocol, or where it has none
// yet, for the one that it likes best.
func (s *State) said(m *member) []byte {
	if metadata, ok := m.metadata(s.protocol); ok {
		return metadata
	}
	if len(m.protocols) == 0 {
		return nil
	}
	return m.protocols[0].metadata
}

// upgrade turns the classic group into a consumer group that begins where the
// classic one stood: each member owns what its leader gave to it. Members that
// wait for a rebalance are told to join anew; they are then members that speak
// the classic protocol.
func (s *State) upgrade(t *Turn) {
	for _, m := range s.members.order {
		if before := s.members.park(m, 0); before != 0 {
			t.Answer(before, joinError(m.id, kerr.RebalanceInProgress))
		}
		if m.sync != 0 {
			t.Answer(m.sync, RefuseSync(kerr.RebalanceInProgress))
			m.sync = 0
		}
	}
	members, generation := s.converted(), s.generation
	clear(s.pending)
	if s.recorded {
		s.record(t, &MetadataRecord{Group: s.id})
	}
	s.joinBy, s.syncBy, s.initial = time.Time{}, time.Time{}, nil
	for _, m := range members {
		s.record(t, &MemberRecord{Group: s.id, Member: m.id, Info: &m.info})
	}
	s.record(t, &EpochRecord{Group: s.id, Epoch: &Epoch{At: generation}})
	for _, m := range members {
		s.record(t, &TargetRecord{Group: s.id, Member: m.id, Target: m.target})
	}
	s.record(t, &TargetEpochRecord{Group: s.id, Epoch: generation})
	for _, m := range members {
		s.record(t, &CurrentRecord{Group: s.id, Member: m.id, Current: &m.current})
	}
}

// converted are the classic members as they are in the consumer group.
func (s *State) converted() []*consumerMember {
	topics, _ := s.topics()
	list := make([]*consumerMember, 0, s.members.size())
	for _, m := range s.members.order {
		said, _ := subscriptionOf(s.said(m)) // upgradable has read it
		target := assignmentOf(m.assignment, topics)
		list = append(list, &consumerMember{
			id: m.id, target: target,
			info: MemberInfo{
				Instance: m.instance, Rack: deref(said.Rack), Client: m.client, Topics: names(said.Topics),
				RebalanceTimeout: m.rebalanceTimeout,
				Classic:          &ClassicInfo{SessionTimeout: m.sessionTimeout, Protocols: m.protocols},
			},
			current: Current{Epoch: s.generation, Previous: s.generation, Assigned: holdingOf(target, s.generation)},
		})
	}
	return list
}

// subscriptionOf reads the metadata of a member of a consumer group.
func subscriptionOf(metadata []byte) (*kmsg.ConsumerMemberMetadata, error) {
	var m kmsg.ConsumerMemberMetadata
	if err := m.ReadFrom(metadata); err != nil {
		return nil, err
	}
	return &m, nil
}

// assignmentOf reads what a leader has assigned. What it means nothing by is
// left out: the member has it no longer, and will be told so.
func assignmentOf(assignment []byte, topics Topics) assignor.Assignment {
	a := assignor.Assignment{}
	var assigned kmsg.ConsumerMemberAssignment
	if len(assignment) == 0 || assigned.ReadFrom(assignment) != nil {
		return a
	}
	for _, t := range assigned.Topics {
		if topic, ok := topics.Topic(t.Topic); ok && len(t.Partitions) > 0 {
			a[topic.ID] = sortedInts(append(a[topic.ID], t.Partitions...))
		}
	}
	return a
}
