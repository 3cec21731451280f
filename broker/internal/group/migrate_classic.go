package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Members that speak the classic protocol in a consumer group. To them every
// epoch is a generation: a join answers with the member's epoch at once, a sync
// with what it is assigned, and a heartbeat tells them to join anew whenever
// there is something to gain, to give up, or to catch up with.

// joinMigrating is a JoinGroup at a consumer group with members.
func (s *State) joinMigrating(t *Turn, client Client, req *JoinRequest, protocols []protocol) {
	m, err := s.attendClassic(t, client, req, protocols)
	if err != nil {
		t.Reply(RefuseJoin(req, err))
		return
	}
	if m == nil { // KIP-394
		t.Reply(joinError(s.opts.NewMemberID(client.ID), kerr.MemberIDRequired))
		return
	}
	said, _ := subscriptionOf(protocols[0].metadata) // attendClassic has read it
	wasClassic := m.classic()
	info := m.info
	info.Client, info.Topics, info.Pattern, info.Assignor = client, names(said.Topics), "", ""
	info.Instance = deref(req.InstanceID)
	if said.Rack != nil {
		info.Rack = *said.Rack
	}
	info.RebalanceTimeout = rebalanceTimeout(req)
	info.Classic = &ClassicInfo{SessionTimeout: millis(req.SessionTimeoutMillis), Protocols: protocols}
	s.follow(t, s.introduce(t, m, info, nil))
	s.reconcile(t, m, s.ownedBy(said))
	if !wasClassic && s.downgrade(t, nil) { // it was the last of the consumer protocol
		s.wait(t, s.members.byID[m.id])
		s.rebalance(t)
		return
	}
	m.joinBy, m.syncBy = time.Time{}, t.Now.Add(m.info.RebalanceTimeout)
	s.arm(m.syncBy)
	s.touchConsumer(m, t.Now)
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.MemberID, resp.Generation = m.id, m.current.Epoch
	resp.ProtocolType, resp.Protocol = optional(consumerProtocol), optional(protocols[0].name)
	t.Settle(resp)
}

// attendClassic finds or makes the member that joins. It is nil without an
// error for one that has to come again with an id.
func (s *State) attendClassic(t *Turn, client Client, req *JoinRequest, protocols []protocol) (*consumerMember, *kerr.Error) {
	c := s.consumer
	instance := deref(req.InstanceID)
	m, static := c.members[req.MemberID], c.static(instance)
	limit := s.opts.Consumer.MaxSize
	switch {
	case s.checkTimeout(req) != nil:
		return nil, kerr.InvalidSessionTimeout
	case limit > 0 && m == nil && static == nil && len(c.members) >= limit:
		return nil, kerr.GroupMaxSizeReached
	case !c.speaks(req.ProtocolType, protocols, m):
		return nil, kerr.InconsistentGroupProtocol
	case instance == "" && req.MemberID == "" && req.Version >= joinKnownMemberVersion:
		return nil, nil
	case instance != "" && req.MemberID != "" && static == nil:
		return nil, kerr.UnknownMemberID
	case instance != "" && req.MemberID != "" && static != m:
		return nil, kerr.FencedInstanceID
	case instance != "" && static != nil && req.MemberID == "":
		return s.replace(t, static, s.opts.NewMemberID(instance)), nil
	case m != nil:
		return m, nil
	}
	id := req.MemberID
	if id == "" {
		prefix := client.ID
		if instance != "" {
			prefix = instance
		}
		id = s.opts.NewMemberID(prefix)
	}
	return s.member(c, id, t.Now), nil
}

// speaks reports whether a member can take part by the classic protocol: it is
// a consumer, and has a protocol in common with the others who speak it.
func (c *consumerGroup) speaks(protocolType string, offered []protocol, except *consumerMember) bool {
	if protocolType != consumerProtocol || len(offered) == 0 {
		return false
	}
	if _, err := subscriptionOf(offered[0].metadata); err != nil {
		return false
	}
	for _, p := range offered {
		common := true
		for _, m := range c.members {
			if m != except && m.classic() && m.metadata(p.name) == nil {
				common = false
				break
			}
		}
		if common {
			return true
		}
	}
	return false
}

// ownedBy are the partitions that a classic member says it owns (KIP-429). One
// of the eager protocol says none: it has given up all before it joined.
func (s *State) ownedBy(said *kmsg.ConsumerMemberMetadata) owned {
	topics, _ := s.topics()
	list := owned{}
	for _, o := range said.OwnedPartitions {
		if topic, ok := topics.Topic(o.Topic); ok {
			list = append(list, OwnedTopic{TopicID: topic.ID, Partitions: o.Partitions})
		}
	}
	return list
}

// classicSpeaker is the member of the classic protocol that a request is from.
func (s *State) classicSpeaker(id string, instance *string) (*consumerMember, *kerr.Error) {
	m, no := s.consumerSpeaker(id, instance)
	switch {
	case no != nil:
		return nil, no.code
	case !m.classic():
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// syncMigrating is a SyncGroup of a member that speaks the classic protocol.
func (s *State) syncMigrating(t *Turn, req *SyncRequest) {
	m, err := s.classicSpeaker(req.MemberID, req.InstanceID)
	if err == nil {
		err = s.checkSyncMigrating(t, m, req)
	}
	if err != nil {
		t.Reply(RefuseSync(err))
		return
	}
	m.syncBy = time.Time{}
	s.touchConsumer(m, t.Now)
	topics, _ := s.topics()
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType, resp.Protocol = req.ProtocolType, req.Protocol
	resp.MemberAssignment = m.classicAssignment(topics)
	t.Settle(resp)
}

func (s *State) checkSyncMigrating(t *Turn, m *consumerMember, req *SyncRequest) *kerr.Error {
	switch {
	case req.Generation != m.current.Epoch:
		return kerr.IllegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != consumerProtocol,
		req.Protocol != nil && *req.Protocol != m.info.Classic.Protocols[0].name:
		return kerr.InconsistentGroupProtocol
	case s.consumer.epoch > m.current.Epoch && m.current.State != Unrevoked:
		s.expectJoin(t, m)
		return kerr.RebalanceInProgress
	}
	return nil
}

// heartbeatMigrating is a Heartbeat of a member that speaks the classic
// protocol.
func (s *State) heartbeatMigrating(t *Turn, req *BeatRequest) *kerr.Error {
	m, err := s.classicSpeaker(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != m.current.Epoch:
		return kerr.IllegalGeneration
	}
	s.touchConsumer(m, t.Now)
	s.follow(t, false)
	if s.consumer.epoch > m.current.Epoch || m.current.State == Unrevoked ||
		m.current.State == Unreleased && !s.consumer.waitsForOthers(m) {
		s.expectJoin(t, m)
		return kerr.RebalanceInProgress
	}
	return nil
}

// expectJoin gives a member its rebalance timeout to join anew.
func (s *State) expectJoin(t *Turn, m *consumerMember) {
	if m.joinBy.IsZero() {
		m.joinBy = t.Now.Add(m.info.RebalanceTimeout)
		s.arm(m.joinBy)
	}
}

// leaveMigrating takes a member of the classic protocol out, as a LeaveGroup
// asks for it.
func (s *State) leaveMigrating(t *Turn, who kmsg.LeaveGroupRequestMember) *kerr.Error {
	id := who.MemberID
	if static := s.consumer.static(deref(who.InstanceID)); static != nil && id == "" {
		id = static.id // an operator names the instance alone
	}
	m, err := s.classicSpeaker(id, who.InstanceID)
	if err != nil {
		return err
	}
	s.expel(t, m)
	return nil
}
