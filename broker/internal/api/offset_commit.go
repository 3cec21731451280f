package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// OffsetCommit (key 8, v2-10) and OffsetDelete (key 47, v0).
//
// From v10 on topics go by id: they are turned into names for the coordinator
// and back. A topic that does not exist, by id or by name, is answered here
// and the rest is committed.

func (b *Broker) offsetCommit(c call, req *kmsg.OffsetCommitRequest, reply func(*kmsg.OffsetCommitResponse)) {
	image := b.image()
	byID := c.Version >= 10
	known := req.Topics[:0:0]
	var refused []kmsg.OffsetCommitResponseTopic
	for _, t := range req.Topics {
		topic, ok := imageTopic(image, t.Topic, t.TopicID)
		if byID && t.TopicID == [16]byte{} {
			ok = false
		}
		if !ok {
			refused = append(refused, refusedCommit(t, byID))
			continue
		}
		t.Topic = topic.Name
		var gone *kmsg.OffsetCommitResponseTopic
		t.Partitions, gone = existing(topic, t)
		if gone != nil {
			refused = append(refused, *gone)
		}
		if len(t.Partitions) > 0 {
			known = append(known, t)
		}
	}
	req.Topics = known
	b.Coordinator.OffsetCommit(c.ctx, req, func(resp *kmsg.OffsetCommitResponse) {
		if byID {
			for i := range resp.Topics {
				if topic, ok := image.Topic(resp.Topics[i].Topic); ok {
					resp.Topics[i].TopicID = topic.ID
				}
			}
		}
		resp.Topics = append(resp.Topics, refused...)
		reply(resp)
	})
}

// existing splits off the partitions that the topic does not have.
func existing(topic *metadata.Topic, t kmsg.OffsetCommitRequestTopic) ([]kmsg.OffsetCommitRequestTopicPartition, *kmsg.OffsetCommitResponseTopic) {
	kept, gone := t.Partitions[:0:0], t
	gone.Partitions = nil
	for _, p := range t.Partitions {
		if _, ok := topic.Partition(p.Partition); ok {
			kept = append(kept, p)
		} else {
			gone.Partitions = append(gone.Partitions, p)
		}
	}
	if gone.Partitions == nil {
		return kept, nil
	}
	refused := refusedCommit(gone, false)
	return kept, &refused
}

func refusedCommit(t kmsg.OffsetCommitRequestTopic, byID bool) kmsg.OffsetCommitResponseTopic {
	refused := kmsg.NewOffsetCommitResponseTopic()
	refused.Topic, refused.TopicID = t.Topic, t.TopicID
	code := kerr.UnknownTopicOrPartition.Code
	if byID {
		code = kerr.UnknownTopicID.Code
	}
	for _, p := range t.Partitions {
		part := kmsg.NewOffsetCommitResponseTopicPartition()
		part.Partition, part.ErrorCode = p.Partition, code
		refused.Partitions = append(refused.Partitions, part)
	}
	return refused
}

func (b *Broker) offsetDelete(c call, req *kmsg.OffsetDeleteRequest, reply func(*kmsg.OffsetDeleteResponse)) {
	b.Coordinator.OffsetDelete(c.ctx, req, reply)
}
