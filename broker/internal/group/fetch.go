package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch is an OffsetFetch of this group: the partitions asked for, or with
// Topics nil all that are committed. What was never committed has offset -1
// and no error, also in a group that nobody knows. With stable, a partition
// whose offset an open transaction may change is refused (KIP-447): whoever
// goes on from there would read again what the transaction has read.
func (s *State) Fetch(t *Turn, req *FetchRequest, stable bool) {
	if err := s.checkFetch(req); err != nil {
		t.Reply(RefuseFetch(s.id, err))
		return
	}
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = s.id
	if req.Topics == nil {
		resp.Topics = s.allOffsets(stable)
	}
	for _, topic := range req.Topics {
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic, rt.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			offset, ok := s.offsets.at(topic.Topic, p)
			if !ok {
				offset = Offset{At: -1, LeaderEpoch: -1}
			}
			rt.Partitions = append(rt.Partitions, s.fetched(topic.Topic, p, offset, stable))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	t.Settle(resp)
}

func (s *State) allOffsets(stable bool) []kmsg.OffsetFetchResponseGroupTopic {
	list := []kmsg.OffsetFetchResponseGroupTopic{}
	s.offsets.each(func(topic string, partition int32, offset Offset) {
		if len(list) == 0 || list[len(list)-1].Topic != topic {
			rt := kmsg.NewOffsetFetchResponseGroupTopic()
			rt.Topic = topic
			list = append(list, rt)
		}
		last := &list[len(list)-1]
		last.Partitions = append(last.Partitions, s.fetched(topic, partition, offset, stable))
	})
	return list
}

func (s *State) fetched(topic string, partition int32, offset Offset, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	rp.Partition = partition
	if stable && s.unstable.has(topic, partition) {
		rp.ErrorCode = kerr.UnstableOffsetCommit.Code
		offset = Offset{At: -1, LeaderEpoch: -1}
	}
	rp.Offset = offset.At
	rp.LeaderEpoch = offset.LeaderEpoch
	rp.Metadata = &offset.Metadata
	return rp
}

// Offsets visits the group's committed offsets in the order of topics and
// partitions.
func (s *State) Offsets(visit func(topic string, partition int32, offset int64)) {
	s.offsets.each(func(topic string, partition int32, offset Offset) {
		visit(topic, partition, offset.At)
	})
}
