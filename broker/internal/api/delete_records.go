package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// DeleteRecords (key 21, v0-2; KIP-107): moves the start of a partition's log
// up to an offset, -1 for the high watermark, and answers with the first
// offset that is left. Kafka Streams purges its repartition topics with it.
//
//   - OFFSET_OUT_OF_RANGE beyond the high watermark; an offset below the start
//     changes nothing and succeeds.
//   - POLICY_VIOLATION where cleanup.policy has no delete.
//   - INVALID_TOPIC_EXCEPTION on the broker's own topics.

func (b *Broker) deleteRecords(_ call, req *kmsg.DeleteRecordsRequest) *kmsg.DeleteRecordsResponse {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	image := b.image()
	for _, t := range req.Topics {
		topic := kmsg.NewDeleteRecordsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			result := kmsg.NewDeleteRecordsResponseTopicPartition()
			result.Partition = p.Partition
			start, err := b.deleteRecordsOf(image, t.Topic, p)
			if err != nil {
				start = -1
			}
			if code := codeOf(err); code != nil {
				result.ErrorCode = code.Code
			}
			result.LowWatermark = start
			topic.Partitions = append(topic.Partitions, result)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (b *Broker) deleteRecordsOf(image *metadata.Image, topic string, p kmsg.DeleteRecordsRequestTopicPartition) (start int64, err error) {
	if isInternal(topic) {
		return -1, errInternal
	}
	part, ok := b.Replicas.Partition(topic, p.Partition)
	if !ok {
		return -1, b.absent(image, topic, metadata.UUID{}, p.Partition)
	}
	return part.DeleteRecords(p.Offset)
}
