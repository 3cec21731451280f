package group

import (
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// From this version on members choose their ids themselves (KIP-1082).
const consumerOwnIDVersion = 1

// A refusal is an error with something to say about it.
type refusal struct {
	code    *kerr.Error
	message string
}

func refuse(code *kerr.Error, message string) *refusal { return &refusal{code, message} }

// ConsumerHeartbeat is a ConsumerGroupHeartbeat: a member joins, keeps its
// session, acknowledges what it was assigned, or leaves. The whole protocol is
// in this one request.
//
// A member that names a pattern comes with what it matches. The patterns that
// are returned have not been held against the newest topics: the caller should
// do so, and say what it found by Matched.
func (s *State) ConsumerHeartbeat(t *Turn, client Client, req *ConsumerBeatRequest, match *Match) (stale []string) {
	resp, no := s.consumerBeat(t, client, req, match)
	if no != nil {
		t.Reply(RefuseConsumerBeat(no.code, no.message))
		return nil
	}
	t.Settle(resp)
	if s.consumer != nil {
		_, version := s.topics()
		stale = s.consumer.stale(version)
	}
	return stale
}

func (s *State) consumerBeat(t *Turn, client Client, req *ConsumerBeatRequest, match *Match) (*ConsumerBeatResponse, *refusal) {
	if no := s.checkBeat(req); no != nil {
		return nil, no
	}
	if req.MemberEpoch < joinEpoch {
		return s.leaveConsumer(t, req)
	}
	m, no := s.attend(t, req)
	if no != nil {
		return nil, no
	}
	before := m.current
	s.follow(t, s.listen(t, m, client, req, match))
	s.reconcile(t, m, req.Topics)
	m.joinBy, m.syncBy = time.Time{}, time.Time{}
	s.touchConsumer(m, t.Now)
	return s.beaten(m, req, !m.current.Assigned.equal(before.Assigned)), nil
}

// checkBeat checks what needs no group.
func (s *State) checkBeat(req *ConsumerBeatRequest) *refusal {
	bad := func(message string) *refusal { return refuse(kerr.InvalidRequest, message) }
	switch {
	case s.id == "":
		return bad("GroupId can't be empty.")
	case blank(req.InstanceID):
		return bad("InstanceId can't be empty.")
	case blank(req.RackID):
		return bad("RackId can't be empty.")
	case req.MemberEpoch < awayEpoch:
		return bad("MemberEpoch is invalid.")
	case req.MemberID == "" && (req.MemberEpoch != joinEpoch || req.Version >= consumerOwnIDVersion):
		return bad("MemberId can't be empty.")
	case req.MemberEpoch == awayEpoch && req.InstanceID == nil:
		return bad("InstanceId can't be null.")
	case req.MemberEpoch == joinEpoch && req.RebalanceTimeoutMillis == -1:
		return bad("RebalanceTimeoutMs must be provided in first request.")
	case req.MemberEpoch == joinEpoch && (req.Topics == nil || len(req.Topics) > 0):
		return bad("TopicPartitions must be empty when (re-)joining.")
	case req.MemberEpoch == joinEpoch && req.SubscribedTopicNames == nil && req.SubscribedTopicRegex == nil:
		return bad("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	}
	if name := req.ServerAssignor; name != nil && !slices.Contains(s.assignors(), *name) {
		return refuse(kerr.UnsupportedAssignor, "ServerAssignor "+*name+" is not supported. Supported assignors: "+strings.Join(s.assignors(), ", ")+".")
	}
	return nil
}

// blank reports whether something is said that says nothing.
func blank(s *string) bool { return s != nil && strings.TrimSpace(*s) == "" }

// attend finds the member that a heartbeat is from. One that joins is made, and
// with its first member the group.
func (s *State) attend(t *Turn, req *ConsumerBeatRequest) (*consumerMember, *refusal) {
	if req.MemberEpoch != joinEpoch {
		return s.known(req)
	}
	if no := s.becomeConsumer(t, req); no != nil {
		return nil, no
	}
	c := s.consumer
	if req.MemberID == "" { // v0; the coordinator chooses
		req.MemberID = s.opts.NewMemberID("consumer")
	}
	m := c.members[req.MemberID]
	static := c.static(deref(req.InstanceID))
	switch {
	case static != nil && static != m:
		if !static.classic() && static.current.Epoch != awayEpoch {
			return nil, refuse(kerr.UnreleasedInstanceID, "Static member "+req.MemberID+" with instance id "+*req.InstanceID+" cannot join because the instance id is owned by the member "+static.id+".")
		}
		return s.replace(t, static, req.MemberID), nil
	case m != nil:
		return m, nil
	case s.opts.Consumer.MaxSize > 0 && len(c.members) >= s.opts.Consumer.MaxSize:
		return nil, refuse(kerr.GroupMaxSizeReached, "The consumer group has reached its maximum capacity.")
	}
	return s.member(c, req.MemberID, t.Now), nil
}

// known finds the member of a heartbeat that does not join.
func (s *State) known(req *ConsumerBeatRequest) (*consumerMember, *refusal) {
	m, no := s.consumerSpeaker(req.MemberID, req.InstanceID)
	if no != nil {
		return nil, no
	}
	at := m.current.Epoch
	switch {
	case req.MemberEpoch == at:
		return m, nil
	case req.MemberEpoch < at && req.MemberEpoch == m.current.Previous && owned(req.Topics).within(m.current.Assigned):
		return m, nil // the reply that raised its epoch was lost
	}
	return nil, refuse(kerr.FencedMemberEpoch, "The member's epoch is not the one that the group coordinator knows. The member must abandon all its partitions and rejoin.")
}

// consumerSpeaker is the member that a request speaks for.
func (s *State) consumerSpeaker(id string, instance *string) (*consumerMember, *refusal) {
	if s.consumer == nil {
		return nil, refuse(kerr.GroupIDNotFound, "Group "+s.id+" is not a consumer group.")
	}
	if name := deref(instance); name != "" {
		m := s.consumer.static(name)
		switch {
		case m == nil:
			return nil, refuse(kerr.UnknownMemberID, "Instance id "+name+" is unknown.")
		case m.id != id:
			return nil, refuse(kerr.FencedInstanceID, "Instance id "+name+" belongs to another member now.")
		}
		return m, nil
	}
	if m := s.consumer.members[id]; m != nil {
		return m, nil
	}
	return nil, refuse(kerr.UnknownMemberID, "Member "+id+" is not a member of group "+s.id+".")
}

// replace lets a new process take the place of a static member, with all that
// was meant for it.
func (s *State) replace(t *Turn, old *consumerMember, id string) *consumerMember {
	info, target, current := old.info, old.target, old.current
	current.Epoch, current.Previous, current.State, current.Revoking = joinEpoch, joinEpoch, Reconciled, nil
	s.forget(t, old)
	s.record(t, &MemberRecord{Group: s.id, Member: id, Info: &info})
	s.record(t, &TargetRecord{Group: s.id, Member: id, Target: target})
	s.record(t, &CurrentRecord{Group: s.id, Member: id, Current: &current})
	return s.consumer.members[id]
}

// listen takes over what a member says of itself, and reports whether it reads
// something else now. What it leaves out is as before.
func (s *State) listen(t *Turn, m *consumerMember, client Client, req *ConsumerBeatRequest, match *Match) bool {
	info := m.info
	info.Client, info.Classic = client, nil
	if req.InstanceID != nil {
		info.Instance = *req.InstanceID
	}
	if req.RackID != nil {
		info.Rack = *req.RackID
	}
	if req.RebalanceTimeoutMillis >= 0 {
		info.RebalanceTimeout = millis(req.RebalanceTimeoutMillis)
	}
	if req.ServerAssignor != nil {
		info.Assignor = *req.ServerAssignor
	}
	if req.SubscribedTopicNames != nil {
		info.Topics = names(req.SubscribedTopicNames)
	}
	if req.SubscribedTopicRegex != nil {
		info.Pattern = *req.SubscribedTopicRegex
	}
	return s.introduce(t, m, info, match)
}

// introduce records what a member is, if that is new, and what its pattern
// matches. It reports whether the subscription has changed.
func (s *State) introduce(t *Turn, m *consumerMember, info MemberInfo, match *Match) bool {
	before := m.info
	if !m.recorded || !info.equal(&before) {
		s.record(t, &MemberRecord{Group: s.id, Member: m.id, Info: &info})
	}
	if match != nil && info.Pattern != "" {
		s.match(t, info.Pattern, match)
	}
	if before.Pattern != info.Pattern {
		s.dropPattern(t, before.Pattern)
	}
	return !info.sameSubscription(&before)
}

// names are sorted, each once.
func names(list []string) []string {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// beaten is the answer to a heartbeat. The assignment is part of it where the
// member has said all of itself, or where it has changed.
func (s *State) beaten(m *consumerMember, req *ConsumerBeatRequest, moved bool) *ConsumerBeatResponse {
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.MemberID = &m.id
	resp.MemberEpoch = m.current.Epoch
	resp.HeartbeatIntervalMillis = int32(s.timing().HeartbeatInterval / time.Millisecond)
	full := req.RebalanceTimeoutMillis != -1 && (req.SubscribedTopicNames != nil || req.SubscribedTopicRegex != nil) && req.Topics != nil
	if req.MemberEpoch == joinEpoch || full || moved {
		resp.Assignment = &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
		held := m.current.Assigned.assignment()
		for _, id := range m.current.Assigned.topics() {
			topic := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
			topic.TopicID, topic.Partitions = id, held[id]
			resp.Assignment.Topics = append(resp.Assignment.Topics, topic)
		}
	}
	return resp
}
