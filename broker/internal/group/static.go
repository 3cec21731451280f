package group

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kerr"
)

// joinStatic is the first join of a process that names its instance (KIP-345).
// Where the instance is a member already, the new process takes its place: the
// old one is fenced, and if nothing else changed there is no rebalance.
func (s *State) joinStatic(t *Turn, client Client, req *JoinRequest, protocols []protocol) {
	id := s.opts.NewMemberID(*req.InstanceID)
	m := s.members.byInstance[*req.InstanceID]
	if m == nil {
		s.join(t, s.newMember(id, client, req, protocols), req.ProtocolType)
		return
	}
	s.fence(t, m)
	before, _ := m.metadata(s.protocol)
	leader := s.leader
	if leader == m.id {
		s.leader = id
	}
	s.members.rename(m, id)
	s.update(m, client, req, protocols)

	after, _ := m.metadata(s.protocol)
	if s.phase == Stable && s.members.elect() == s.protocol && bytes.Equal(before, after) {
		s.takeOver(t, m, leader, req.Version)
		return
	}
	s.wait(t, m)
	s.rebalance(t)
}

// fence answers what the former process of a static member waits for.
func (s *State) fence(t *Turn, m *member) {
	if before := s.members.park(m, 0); before != 0 {
		t.Answer(before, joinError(m.id, kerr.FencedInstanceID))
	}
	if m.sync != 0 {
		t.Answer(m.sync, RefuseSync(kerr.FencedInstanceID))
		m.sync = 0
	}
}

// takeOver lets a new process of a static member go on in the current
// generation. A leader must not assign anew: from v9 on it is told so, earlier
// ones believe that the former member id leads (KIP-814).
func (s *State) takeOver(t *Turn, m *member, formerLeader string, version int16) {
	s.touch(m, t.Now)
	s.record(t, s.metadata(t.Now, nil))
	resp := s.joined(m)
	if m.id == s.leader {
		if version >= joinSkipAssignmentVersion {
			resp.SkipAssignment = true
		} else {
			resp.LeaderID = formerLeader
			resp.Members = nil
		}
	}
	t.Settle(resp)
}
