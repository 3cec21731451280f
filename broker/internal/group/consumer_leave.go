package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaveConsumer is the heartbeat of a member that goes: for good, or if it is
// static, for a while. Who is away for a while keeps its partitions until its
// session is over.
func (s *State) leaveConsumer(t *Turn, req *ConsumerBeatRequest) (*ConsumerBeatResponse, *refusal) {
	m, no := s.consumerSpeaker(req.MemberID, req.InstanceID)
	if no != nil {
		return nil, no
	}
	if req.MemberEpoch == awayEpoch {
		away := m.current
		away.Epoch, away.Revoking = awayEpoch, nil
		s.record(t, &CurrentRecord{Group: s.id, Member: m.id, Current: &away})
		m.revokeBy = time.Time{}
	} else {
		s.expel(t, m)
	}
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID, resp.MemberEpoch = &req.MemberID, req.MemberEpoch
	return resp, nil
}

// expel takes a member out. The others get what it had with the next target.
func (s *State) expel(t *Turn, m *consumerMember) {
	if s.downgrade(t, m) {
		return
	}
	s.forget(t, m)
	s.dropPattern(t, m.info.Pattern)
	s.bump(t, true, s.consumer.hash)
}

// forget removes what the log has of a member.
func (s *State) forget(t *Turn, m *consumerMember) {
	s.record(t, &CurrentRecord{Group: s.id, Member: m.id})
	s.record(t, &TargetRecord{Group: s.id, Member: m.id})
	s.record(t, &MemberRecord{Group: s.id, Member: m.id})
}

// buryConsumer removes all that the log has of the group but its offsets.
func (s *State) buryConsumer(t *Turn) {
	c := s.consumer
	for _, m := range c.sorted() {
		s.forget(t, m)
	}
	for _, pattern := range sortedKeys(c.patterns) {
		s.record(t, &PatternRecord{Group: s.id, Pattern: pattern})
	}
	s.record(t, &TargetEpochRecord{Group: s.id, Epoch: noEpoch})
	if c.legacy {
		s.record(t, &LegacyRecord{Group: s.id, Deleted: true})
	}
	s.record(t, &EpochRecord{Group: s.id})
}
