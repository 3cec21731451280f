package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// From this version on a client must come back with the member id it was
	// given, so that joins whose reply was lost leave nothing behind (KIP-394).
	joinKnownMemberVersion = 4
	// From this version on a static leader can be told to keep the assignment
	// (KIP-814).
	joinSkipAssignmentVersion = 9

	// freshTimeout removes a member that has never had an answer. Its first
	// join may wait long for others, and nobody else would notice its end.
	freshTimeout = 5 * time.Minute
)

// Join is a JoinGroup. Its reply comes when the rebalance completes.
func (s *State) Join(t *Turn, client Client, req *JoinRequest) {
	protocols := offered(req)
	if s.consumer != nil && len(s.consumer.members) > 0 {
		s.joinMigrating(t, client, req, protocols)
		return
	}
	if err := s.admit(req, protocols); err != nil {
		t.Reply(RefuseJoin(req, err))
		if m := s.members.byID[req.MemberID]; m != nil && err == kerr.GroupMaxSizeReached {
			s.remove(t, m) // it came back too late to find room
			s.removed(t, 1)
		}
		return
	}
	s.becomeClassic(t)
	instance := deref(req.InstanceID)
	switch {
	case req.MemberID == "" && instance != "":
		s.joinStatic(t, client, req, protocols)
	case req.MemberID == "":
		s.joinUnknown(t, client, req, protocols)
	case s.isPending(req.MemberID):
		s.join(t, s.newMember(req.MemberID, client, req, protocols), req.ProtocolType)
	default:
		s.rejoin(t, client, req, protocols)
	}
}

// admit checks what needs no member.
func (s *State) admit(req *JoinRequest, protocols []protocol) *kerr.Error {
	switch {
	case s.id == "":
		return kerr.InvalidGroupID
	case s.checkTimeout(req) != nil:
		return kerr.InvalidSessionTimeout
	case s.full(req):
		return kerr.GroupMaxSizeReached
	case !s.speaks(req.ProtocolType, protocols):
		return kerr.InconsistentGroupProtocol
	}
	return nil
}

func (s *State) checkTimeout(req *JoinRequest) *kerr.Error {
	session := millis(req.SessionTimeoutMillis)
	if session < s.opts.MinSessionTimeout || session > s.opts.MaxSessionTimeout {
		return kerr.InvalidSessionTimeout
	}
	return nil
}

// full reports whether the group has no room for whoever sends this join.
// While members come back, those that came first stay.
func (s *State) full(req *JoinRequest) bool {
	if s.opts.MaxSize <= 0 {
		return false
	}
	m := s.members.byID[req.MemberID]
	if m == nil {
		m = s.members.byInstance[deref(req.InstanceID)]
	}
	if s.phase == PreparingRebalance {
		return (m == nil || m.join == 0) && s.members.joining >= s.opts.MaxSize
	}
	return m == nil && s.members.size() >= s.opts.MaxSize
}

// joinUnknown is the first join of a dynamic member.
func (s *State) joinUnknown(t *Turn, client Client, req *JoinRequest, protocols []protocol) {
	id := s.opts.NewMemberID(client.ID)
	if req.Version < joinKnownMemberVersion {
		s.join(t, s.newMember(id, client, req, protocols), req.ProtocolType)
		return
	}
	until := t.Now.Add(millis(req.SessionTimeoutMillis))
	s.pending[id] = until
	s.arm(until)
	t.Reply(joinError(id, kerr.MemberIDRequired))
}

func (s *State) isPending(id string) bool {
	_, ok := s.pending[id]
	return ok
}

func (s *State) newMember(id string, client Client, req *JoinRequest, protocols []protocol) *member {
	return &member{
		id: id, instance: deref(req.InstanceID), client: client,
		sessionTimeout: millis(req.SessionTimeoutMillis), rebalanceTimeout: rebalanceTimeout(req),
		protocols: protocols,
	}
}

// join takes a new member in and begins a rebalance, or joins the one that is
// under way.
func (s *State) join(t *Turn, m *member, protocolType string) {
	delete(s.pending, m.id)
	m.join = t.Request
	m.fresh = true
	m.deadline = t.Now.Add(freshTimeout)
	s.arm(m.deadline)
	if s.members.size() == 0 {
		s.protocolType = protocolType
	}
	s.members.add(m)
	if s.initial != nil {
		s.initial.grown = true
	}
	s.rebalance(t)
}

// rejoin is the join of a member that the group knows.
func (s *State) rejoin(t *Turn, client Client, req *JoinRequest, protocols []protocol) {
	m, err := s.identify(req.MemberID, req.InstanceID)
	if err != nil {
		t.Reply(RefuseJoin(req, err))
		return
	}
	same := m.offers(protocols)
	switch {
	case s.phase == Stable && same && m.id != s.leader:
		// A follower lost its reply. A leader comes back because it wants to
		// assign anew.
		s.again(t, m)
	case s.phase == CompletingRebalance && same:
		s.again(t, m)
	default:
		s.update(m, client, req, protocols)
		s.wait(t, m)
		s.rebalance(t)
	}
}

// update takes over what a member says in a new join.
func (s *State) update(m *member, client Client, req *JoinRequest, protocols []protocol) {
	m.client = client
	m.sessionTimeout = millis(req.SessionTimeoutMillis)
	m.rebalanceTimeout = rebalanceTimeout(req)
	s.members.offer(m, protocols)
}

// wait parks the turn's request as the member's join. One that waited before
// is answered: its client has given it up.
func (s *State) wait(t *Turn, m *member) {
	if before := s.members.park(m, t.Request); before != 0 {
		t.Answer(before, joinError(m.id, kerr.RebalanceInProgress))
	}
}

// again repeats the reply that a member of this generation had to its join.
func (s *State) again(t *Turn, m *member) {
	s.touch(m, t.Now)
	t.Reply(s.joined(m))
}

// joined tells a member the generation it is in, and the leader everything it
// needs to assign.
func (s *State) joined(m *member) *JoinResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation = s.generation
	resp.ProtocolType = optional(s.protocolType)
	resp.Protocol = optional(s.protocol)
	resp.LeaderID = s.leader
	resp.MemberID = m.id
	if m.id == s.leader {
		resp.Members = s.candidates()
	}
	return resp
}

func (s *State) candidates() []kmsg.JoinGroupResponseMember {
	list := make([]kmsg.JoinGroupResponseMember, 0, s.members.size())
	for _, m := range s.members.order {
		c := kmsg.NewJoinGroupResponseMember()
		c.MemberID = m.id
		c.InstanceID = optional(m.instance)
		c.ProtocolMetadata, _ = m.metadata(s.protocol)
		list = append(list, c)
	}
	return list
}

func rebalanceTimeout(req *JoinRequest) time.Duration {
	if req.Version < 1 || req.RebalanceTimeoutMillis < 0 {
		return millis(req.SessionTimeoutMillis)
	}
	return millis(req.RebalanceTimeoutMillis)
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
