package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/replica"
)

// ListOffsets (key 2, v1-11): offsets by time, and the ends of a partition.
//
// -1 is the end that consumers see: the high watermark, or from v2 on with
// read_committed the last stable offset (KIP-98). -2 is the start, -3 the
// record with the largest timestamp (KIP-734). Nothing is tiered, so -4 is the
// start, and -5 and -6 are none (KIP-405, KIP-1023). A timestamp gives the
// first record that is not older, or -1.

// earliestPending asks for the first offset that is to be uploaded.
const earliestPending = -6

func (b *Broker) listOffsets(_ call, req *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	resp := kmsg.NewPtrListOffsetsResponse()
	image := b.image()
	for _, t := range req.Topics {
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, b.listOffset(image, t.Topic, p, replica.Isolation(req.IsolationLevel)))
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (b *Broker) listOffset(image *metadata.Image, topic string, wanted kmsg.ListOffsetsRequestTopicPartition, isolation replica.Isolation) kmsg.ListOffsetsResponseTopicPartition {
	result := kmsg.NewListOffsetsResponseTopicPartition()
	result.Partition = wanted.Partition
	result.Timestamp, result.Offset, result.LeaderEpoch = -1, -1, -1
	part, ok := b.Replicas.Partition(topic, wanted.Partition)
	if !ok {
		result.ErrorCode = codeOf(b.absent(image, topic, metadata.UUID{}, wanted.Partition)).Code
		return result
	}
	timestamp := wanted.Timestamp
	if timestamp == earliestPending {
		timestamp = replica.LatestTiered
	}
	at, err := part.ListOffset(timestamp, wanted.CurrentLeaderEpoch, isolation)
	if err != nil {
		result.ErrorCode = codeOf(err).Code
		return result
	}
	result.Timestamp, result.Offset, result.LeaderEpoch = at.Timestamp, at.Offset, at.LeaderEpoch
	return result
}
