package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// downgrade turns the group into a classic one when the last member of the
// consumer protocol leaves it and others stay. They join a rebalance. It
// reports false where the group stays what it is.
func (s *State) downgrade(t *Turn, leaving *consumerMember) bool {
	if !s.opts.Consumer.Migration.Downgrade {
		return false
	}
	var staying []*consumerMember
	for _, m := range s.consumer.sorted() {
		if m == leaving {
			continue
		}
		if !m.classic() {
			return false
		}
		staying = append(staying, m)
	}
	if len(staying) == 0 || (s.opts.MaxSize > 0 && len(staying) > s.opts.MaxSize) {
		return false
	}
	rec := s.asClassic(t, staying)
	if rec == nil || rec.size() > maxTurnBytes {
		return false
	}
	s.buryConsumer(t)
	s.record(t, rec)
	for _, m := range staying {
		s.members.offer(s.members.byID[m.id], m.info.Classic.Protocols)
	}
	s.rebalance(t)
	return true
}

// becomeClassic makes a consumer group without members a classic one, for a
// member that joins by the classic protocol.
func (s *State) becomeClassic(t *Turn) {
	if s.consumer != nil {
		s.buryConsumer(t)
		s.phase = Empty
	}
}

// asClassic is the generation that a classic group of these members begins
// with. It is nil where they have no protocol in common.
func (s *State) asClassic(t *Turn, members []*consumerMember) *MetadataRecord {
	chosen, ok := commonProtocol(members)
	if !ok {
		return nil
	}
	topics, _ := s.topics()
	md := &Metadata{
		ProtocolType: consumerProtocol, Generation: s.consumer.epoch, Protocol: chosen, Since: stamp(t.Now),
	}
	for _, m := range members {
		md.Members = append(md.Members, RecordedMember{
			ID: m.id, Instance: m.info.Instance, Client: m.info.Client,
			SessionTimeout: m.info.Classic.SessionTimeout, RebalanceTimeout: m.info.RebalanceTimeout,
			Subscription: m.metadata(chosen), Assignment: m.classicAssignment(topics),
		})
	}
	return &MetadataRecord{Group: s.id, Metadata: md}
}

// commonProtocol is the first protocol of the first member that all offer.
func commonProtocol(members []*consumerMember) (string, bool) {
	for _, p := range members[0].info.Classic.Protocols {
		if !slices.ContainsFunc(members, func(m *consumerMember) bool { return m.metadata(p.name) == nil }) {
			return p.name, true
		}
	}
	return "", false
}

// metadata is what a member of the classic protocol says for a protocol.
func (m *consumerMember) metadata(protocol string) []byte {
	for _, p := range m.info.Classic.Protocols {
		if p.name == protocol {
			return p.metadata
		}
	}
	return nil
}

// classicAssignment is what a member of the classic protocol is given, in the
// form in which its leader would have.
func (m *consumerMember) classicAssignment(topics Topics) []byte {
	var assigned kmsg.ConsumerMemberAssignment
	if said, err := subscriptionOf(m.info.Classic.Protocols[0].metadata); err == nil {
		assigned.Version = min(said.Version, 1)
	}
	held := m.current.Assigned.assignment()
	for _, id := range m.current.Assigned.topics() {
		topic, ok := topics.TopicByID(id)
		if !ok {
			continue
		}
		t := kmsg.NewConsumerMemberAssignmentTopic()
		t.Topic, t.Partitions = topic.Name, held[id]
		assigned.Topics = append(assigned.Topics, t)
	}
	return assigned.AppendTo(nil)
}

func sortedInts(list []int32) []int32 {
	unique := make(map[int32]bool, len(list))
	for _, n := range list {
		unique[n] = true
	}
	return slices.Sorted(maps.Keys(unique))
}
