package group

import "github.com/twmb/franz-go/pkg/kerr"

// consumerMayCommit lets members commit in their epoch, and in an earlier one
// for partitions that they have had since (KIP-1251), which is seen partition by
// partition. Anyone may commit to a group without members.
func (s *State) consumerMayCommit(req *CommitRequest) *kerr.Error {
	c := s.consumer
	if req.Generation < 0 && len(c.members) == 0 {
		return nil
	}
	m := c.members[req.MemberID]
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case m.classic() && req.Generation != m.current.Epoch:
		return kerr.IllegalGeneration
	case m.classic():
		return nil
	case req.Version < commitEpochVersion:
		return kerr.UnsupportedVersion
	case req.Generation > m.current.Epoch || req.Generation < 0:
		return kerr.StaleMemberEpoch
	}
	return nil
}

// From this version on OffsetCommit says a member's epoch.
const commitEpochVersion = 9

// commitsLate reports whether a commit of an earlier epoch is for a partition
// that the member did not own in it.
func (s *State) commitsLate(member string, epoch int32, topic string, partition int32) bool {
	if s.consumer == nil {
		return false
	}
	m := s.consumer.members[member]
	if m == nil || epoch == m.current.Epoch {
		return false
	}
	topics, _ := s.topics()
	known, ok := topics.Topic(topic)
	if !ok {
		return true
	}
	since, ok := m.current.assignedIn(known.ID, partition)
	return !ok || epoch < since
}

// checkFetch holds a member's epoch against the group's, where an OffsetFetch
// says one (v9).
func (s *State) checkFetch(req *FetchRequest) *kerr.Error {
	if s.consumer == nil || (req.MemberEpoch < 0 && deref(req.MemberID) == "") {
		return nil
	}
	m := s.consumer.members[deref(req.MemberID)]
	switch {
	case m == nil:
		return kerr.UnknownMemberID
	case m.classic() || m.current.Epoch == req.MemberEpoch:
		return nil
	}
	return kerr.StaleMemberEpoch
}
