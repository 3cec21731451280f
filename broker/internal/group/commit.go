package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Commit is an OffsetCommit.
func (s *State) Commit(t *Turn, req *CommitRequest) {
	m, err := s.mayCommit(req)
	if err == nil && commitSize(req) > maxTurnBytes {
		err = kerr.InvalidCommitOffsetSize
	}
	if err != nil {
		t.Reply(RefuseCommit(req, err))
		return
	}
	if m != nil {
		s.touch(m, t.Now)
	}
	resp := kmsg.NewPtrOffsetCommitResponse()
	expires := expiry(t.Now, req)
	for _, topic := range req.Topics {
		rt := commitTopic(topic)
		for _, p := range topic.Partitions {
			rt.Partitions = append(rt.Partitions, commitPartition(p.Partition, s.commit(t, req, topic.Topic, p, expires)))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	t.Settle(resp)
}

// mayCommit lets members commit in their generation, and anyone commit to a
// group without members: simple consumers, and tools that reset offsets
// (generation -1, no member id). Between two generations nobody commits, since
// the new owner may have read the offset already.
func (s *State) mayCommit(req *CommitRequest) (*member, *kerr.Error) {
	if s.consumer != nil {
		return nil, s.consumerMayCommit(req)
	}
	if req.Generation < 0 && req.MemberID == "" && deref(req.InstanceID) == "" {
		if s.phase != Empty {
			return nil, kerr.UnknownMemberID
		}
		return nil, nil
	}
	if s.phase == Empty && s.members.size() == 0 && !s.recorded {
		return nil, kerr.IllegalGeneration // the group is unknown
	}
	m, err := s.identify(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return nil, err
	case req.Generation != s.generation:
		return nil, kerr.IllegalGeneration
	case s.phase == CompletingRebalance:
		return nil, kerr.RebalanceInProgress
	}
	return m, nil
}

// commitSize is about how many bytes the records of a commit take. Each repeats
// the names of group and topic, so it can be far more than the request has.
func commitSize(req *CommitRequest) int {
	n := 0
	for _, topic := range req.Topics {
		n += len(topic.Partitions) * (recordOverhead + len(req.Group) + len(topic.Topic))
		for i := range topic.Partitions {
			n += len(deref(topic.Partitions[i].Metadata))
		}
	}
	return n
}

func (s *State) commit(t *Turn, req *CommitRequest, topic string, p kmsg.OffsetCommitRequestTopicPartition, expires time.Time) *kerr.Error {
	metadata := deref(p.Metadata)
	if len(metadata) > s.opts.MaxMetadata {
		return kerr.OffsetMetadataTooLarge
	}
	if s.commitsLate(req.MemberID, req.Generation, topic, p.Partition) {
		return kerr.StaleMemberEpoch
	}
	s.record(t, &OffsetRecord{Group: s.id, Topic: topic, Partition: p.Partition, Offset: &Offset{
		At: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: metadata, Committed: stamp(t.Now), Expires: expires,
	}})
	return nil
}

// expiry is when the client wants these offsets to expire, zero for the
// broker's own rule. Only OffsetCommit v2 to v4 can say it.
func expiry(now time.Time, req *CommitRequest) time.Time {
	if req.Version < 2 || req.Version > 4 || req.RetentionTimeMillis < 0 {
		return time.Time{}
	}
	return stamp(now).Add(time.Duration(req.RetentionTimeMillis) * time.Millisecond)
}

func commitTopic(topic kmsg.OffsetCommitRequestTopic) kmsg.OffsetCommitResponseTopic {
	rt := kmsg.NewOffsetCommitResponseTopic()
	rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
	return rt
}

func commitPartition(partition int32, err *kerr.Error) kmsg.OffsetCommitResponseTopicPartition {
	rp := kmsg.NewOffsetCommitResponseTopicPartition()
	rp.Partition, rp.ErrorCode = partition, code(err)
	return rp
}
