package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
)

// DescribeProducers (key 61, v0; KIP-664): who writes to a partition with a
// producer id, and where each open transaction begins. A transaction that
// holds the last stable offset back is found so, and ended by WriteTxnMarkers
// if its coordinator knows nothing of it.
//
//   - NOT_LEADER_OR_FOLLOWER where this broker does not lead.
//   - Producers that are silent for producer.id.expiration.ms are left out,
//     unless their transaction is open.

func (b *Broker) describeProducers(_ call, req *kmsg.DescribeProducersRequest) *kmsg.DescribeProducersResponse {
	resp := kmsg.NewPtrDescribeProducersResponse()
	image := b.image()
	for _, t := range req.Topics {
		topic := kmsg.NewDescribeProducersResponseTopic()
		topic.Topic = t.Topic
		for _, index := range t.Partitions {
			topic.Partitions = append(topic.Partitions, b.describeProducersOf(image, t.Topic, index))
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (b *Broker) describeProducersOf(image *metadata.Image, topic string, index int32) kmsg.DescribeProducersResponseTopicPartition {
	result := kmsg.NewDescribeProducersResponseTopicPartition()
	result.Partition = index
	producers, err := b.producersOf(image, topic, index)
	if err != nil {
		result.ErrorCode, result.ErrorMessage = codeOf(err).Code, new(err.Error())
		return result
	}
	for _, p := range producers {
		active := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		active.ProducerID, active.ProducerEpoch = p.ID, int32(p.Epoch)
		active.LastSequence, active.LastTimestamp = p.LastSequence(), p.LastTimestamp()
		active.CoordinatorEpoch, active.CurrentTxnStartOffset = p.CoordinatorEpoch, p.TxnFirstOffset
		result.ActiveProducers = append(result.ActiveProducers, active)
	}
	return result
}

func (b *Broker) producersOf(image *metadata.Image, topic string, index int32) ([]producerstate.Producer, error) {
	part, ok := b.Replicas.Partition(topic, index)
	if !ok {
		return nil, b.absent(image, topic, metadata.UUID{}, index)
	}
	return part.ActiveProducers()
}
