package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sync is a SyncGroup: the leader brings the assignment of the generation, the
// others ask for theirs, and wait until the leader has come.
func (s *State) Sync(t *Turn, req *SyncRequest) {
	if s.consumer != nil {
		s.syncMigrating(t, req)
		return
	}
	m, err := s.identify(req.MemberID, req.InstanceID)
	if err == nil {
		err = s.checkSync(req)
	}
	if err != nil {
		t.Reply(RefuseSync(err))
		return
	}
	m.synced = true
	s.touch(m, t.Now)
	if s.phase == CompletingRebalance && m.id == s.leader && !s.assign(t, req) {
		t.Reply(RefuseSync(kerr.UnknownServerError))
		s.rebalance(t)
		return
	}
	if s.phase == Stable {
		t.Settle(s.assigned(m))
		return
	}
	if m.sync != 0 {
		t.Answer(m.sync, RefuseSync(kerr.RebalanceInProgress))
	}
	m.sync = t.Request
}

func (s *State) checkSync(req *SyncRequest) *kerr.Error {
	switch {
	case s.phase == Empty || s.phase == Dead:
		return kerr.UnknownMemberID
	case req.Generation != s.generation:
		return kerr.IllegalGeneration
	case req.ProtocolType != nil && *req.ProtocolType != s.protocolType,
		req.Protocol != nil && *req.Protocol != s.protocol:
		return kerr.InconsistentGroupProtocol
	case s.phase == PreparingRebalance:
		return kerr.RebalanceInProgress
	}
	return nil
}

// assign makes the leader's assignment that of the generation and hands it to
// those who wait. Members that the leader left out get an empty one. It reports
// false where all of it is too large for the log.
func (s *State) assign(t *Turn, req *SyncRequest) bool {
	assignments := make(map[string][]byte, len(req.GroupAssignment))
	for _, a := range req.GroupAssignment {
		assignments[a.MemberID] = a.MemberAssignment
	}
	rec := s.metadata(t.Now, assignments)
	if rec.size() > maxTurnBytes {
		return false
	}
	s.record(t, rec)
	for _, m := range s.members.order {
		if m.sync != 0 {
			t.AnswerSettled(m.sync, s.assigned(m))
			m.sync = 0
			s.touch(m, t.Now)
		}
	}
	return true
}

func (s *State) assigned(m *member) *SyncResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType = optional(s.protocolType)
	resp.Protocol = optional(s.protocol)
	resp.MemberAssignment = m.assignment
	if resp.MemberAssignment == nil {
		resp.MemberAssignment = []byte{}
	}
	return resp
}

// metadata is the record of the current generation, with new assignments or,
// where there are none, with those that hold.
func (s *State) metadata(now time.Time, assignments map[string][]byte) *MetadataRecord {
	md := &Metadata{
		ProtocolType: s.protocolType,
		Generation:   s.generation,
		Protocol:     s.protocol,
		Leader:       s.leader,
		Since:        stamp(now),
	}
	for _, m := range s.members.order {
		r := RecordedMember{
			ID: m.id, Instance: m.instance, Client: m.client,
			SessionTimeout: m.sessionTimeout, RebalanceTimeout: m.rebalanceTimeout,
			Assignment: m.assignment,
		}
		r.Subscription, _ = m.metadata(s.protocol)
		if assignments != nil {
			r.Assignment = assignments[m.id]
		}
		md.Members = append(md.Members, r)
	}
	return &MetadataRecord{Group: s.id, Metadata: md}
}

// stamp is a time as a record keeps it, so that a live group and a replayed one
// are equal.
func stamp(now time.Time) time.Time { return time.UnixMilli(now.UnixMilli()) }

// syncOverdue removes the members that joined this generation and never asked
// for their assignment.
func (s *State) syncOverdue(t *Turn) {
	s.syncBy = time.Time{}
	var late []*member
	for _, m := range s.members.order {
		if !m.synced {
			late = append(late, m)
		}
	}
	for _, m := range late {
		s.remove(t, m)
	}
	s.removed(t, len(late))
}
