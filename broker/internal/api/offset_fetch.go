package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// OffsetFetch (key 9, v1-10): what groups have committed.
//
// One group up to v7, several from v8 on (KIP-709); null topics mean all from
// v2 on; topics by id from v10 on. A group or a partition that has committed
// nothing has offset -1 and no error: clients depend on it.

func (b *Broker) offsetFetch(c call, req *kmsg.OffsetFetchRequest, reply func(*kmsg.OffsetFetchResponse)) {
	if c.Version < 8 {
		b.Coordinator.OffsetFetch(c.ctx, groupFetch(req, c.Version), req.RequireStable, func(group kmsg.OffsetFetchResponseGroup) {
			reply(singleGroup(group, c.Version))
		})
		return
	}
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, len(req.Groups))
	gather(len(req.Groups), func(i int, answered func()) {
		b.fetchGroup(c, req.Groups[i], req.RequireStable, func(group kmsg.OffsetFetchResponseGroup) {
			resp.Groups[i] = group
			answered()
		})
	}, func() { reply(resp) })
}

// groupFetch brings a request for one group into the form of several.
func groupFetch(req *kmsg.OffsetFetchRequest, version int16) kmsg.OffsetFetchRequestGroup {
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = req.Group
	if req.Topics == nil && version >= 2 {
		return group
	}
	group.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(req.Topics))
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetFetchRequestGroupTopic()
		topic.Topic, topic.Partitions = t.Topic, t.Partitions
		group.Topics = append(group.Topics, topic)
	}
	return group
}

// singleGroup brings the answer for a group into the form of v1 to v7. In v1
// there is no code for the whole, so every partition carries it.
func singleGroup(group kmsg.OffsetFetchResponseGroup, version int16) *kmsg.OffsetFetchResponse {
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.ErrorCode = group.ErrorCode
	for _, t := range group.Topics {
		topic := kmsg.NewOffsetFetchResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetFetchResponseTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch, part.Metadata, part.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			if version < 2 && part.ErrorCode == 0 {
				part.ErrorCode = group.ErrorCode
			}
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// fetchGroup asks for one group, with topic ids turned into names and back.
func (b *Broker) fetchGroup(c call, group kmsg.OffsetFetchRequestGroup, stable bool, reply func(kmsg.OffsetFetchResponseGroup)) {
	if c.Version < 10 {
		b.Coordinator.OffsetFetch(c.ctx, group, stable, reply)
		return
	}
	image := b.image()
	var unknown []kmsg.OffsetFetchResponseGroupTopic
	if group.Topics != nil {
		known := make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(group.Topics))
		for _, t := range group.Topics {
			topic, ok := image.TopicByID(t.TopicID)
			if !ok {
				unknown = append(unknown, unknownFetch(t))
				continue
			}
			t.Topic = topic.Name
			known = append(known, t)
		}
		group.Topics = known
	}
	b.Coordinator.OffsetFetch(c.ctx, group, stable, func(resp kmsg.OffsetFetchResponseGroup) {
		resp.Topics = append(withIDs(image, resp.Topics), unknown...)
		reply(resp)
	})
}

// withIDs sets the ids of topics. One that is gone has none and is left out.
func withIDs(image *metadata.Image, topics []kmsg.OffsetFetchResponseGroupTopic) []kmsg.OffsetFetchResponseGroupTopic {
	kept := topics[:0]
	for _, t := range topics {
		if topic, ok := image.Topic(t.Topic); ok {
			t.TopicID = topic.ID
			kept = append(kept, t)
		}
	}
	return kept
}

func unknownFetch(t kmsg.OffsetFetchRequestGroupTopic) kmsg.OffsetFetchResponseGroupTopic {
	topic := kmsg.NewOffsetFetchResponseGroupTopic()
	topic.TopicID = t.TopicID
	for _, index := range t.Partitions {
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.ErrorCode = index, -1, -1, kerr.UnknownTopicID.Code
		topic.Partitions = append(topic.Partitions, p)
	}
	return topic
}
