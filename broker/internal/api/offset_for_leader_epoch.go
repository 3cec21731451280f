package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// OffsetForLeaderEpoch (key 23, v2-4): where a leader epoch ended, by which a
// client finds out that its log parts from this one (KIP-320). An epoch that
// is not known gives -1 and -1.

func (b *Broker) offsetForLeaderEpoch(_ call, req *kmsg.OffsetForLeaderEpochRequest) *kmsg.OffsetForLeaderEpochResponse {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	image := b.image()
	for _, t := range req.Topics {
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, b.epochEnd(image, t.Topic, p))
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (b *Broker) epochEnd(image *metadata.Image, topic string, wanted kmsg.OffsetForLeaderEpochRequestTopicPartition) kmsg.OffsetForLeaderEpochResponseTopicPartition {
	result := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
	result.Partition, result.LeaderEpoch, result.EndOffset = wanted.Partition, -1, -1
	part, ok := b.Replicas.Partition(topic, wanted.Partition)
	if !ok {
		result.ErrorCode = codeOf(b.absent(image, topic, metadata.UUID{}, wanted.Partition)).Code
		return result
	}
	epoch, end, err := part.EpochEnd(wanted.CurrentLeaderEpoch, wanted.LeaderEpoch)
	if err != nil {
		result.ErrorCode = codeOf(err).Code
		return result
	}
	result.LeaderEpoch, result.EndOffset = epoch, end
	return result
}
