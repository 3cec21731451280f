package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Delete removes a group without members, with its offsets. One that a
// transaction has still to commit for stays.
func (s *State) Delete(t *Turn) {
	switch {
	case s.Vacant():
		t.Reply(kerr.GroupIDNotFound.Code)
		return
	case s.Phase() != Empty || len(s.unstable) > 0: // a transaction commits for it
		t.Reply(kerr.NonEmptyGroup.Code)
		return
	}
	s.offsets.each(func(topic string, partition int32, _ Offset) {
		s.record(t, &OffsetRecord{Group: s.id, Topic: topic, Partition: partition})
	})
	s.bury(t)
	t.Settle(int16(0))
}

// Forget is an OffsetDelete (KIP-496): offsets of a group that nobody reads
// with. Of a group with members only topics without subscription may go.
func (s *State) Forget(t *Turn, req *ForgetRequest) {
	topics, known := s.subscribed()
	switch {
	case s.Vacant():
		t.Reply(RefuseForget(kerr.GroupIDNotFound))
		return
	case s.Phase() != Empty && !known:
		t.Reply(RefuseForget(kerr.NonEmptyGroup))
		return
	}
	resp := kmsg.NewPtrOffsetDeleteResponse()
	for _, topic := range req.Topics {
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = topic.Topic
		for _, p := range topic.Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			if topics[topic.Topic] {
				rp.ErrorCode = kerr.GroupSubscribedToTopic.Code
			} else if _, ok := s.offsets.at(topic.Topic, p.Partition); ok {
				s.record(t, &OffsetRecord{Group: s.id, Topic: topic.Topic, Partition: p.Partition})
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	t.Settle(resp)
}
