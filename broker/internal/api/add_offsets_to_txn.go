package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// AddOffsetsToTxn (key 25, v0-4): a transaction will commit offsets of a group,
// so the group's partition of __consumer_offsets becomes a part of it. Up to
// v1 a fenced producer is told INVALID_PRODUCER_EPOCH.

func (b *Broker) addOffsetsToTxn(c call, req *kmsg.AddOffsetsToTxnRequest, reply func(*kmsg.AddOffsetsToTxnResponse)) {
	answer := func(err *kerr.Error) {
		resp := kmsg.NewPtrAddOffsetsToTxnResponse()
		resp.ErrorCode = fencedAs(c.Version >= 2, err)
		reply(resp)
	}
	if req.TransactionalID == "" {
		answer(kerr.InvalidRequest)
		return
	}
	b.withOffsetsTopic(c, func(topic *metadata.Topic) {
		b.Transactions.AddPartitions(req.TransactionalID, &txn.Add{
			Producer:   turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch},
			Partitions: []txn.Partition{offsetsPartition(topic, req.Group)},
		}, answer)
	}, answer)
}

// withOffsetsTopic hands over the topic of groups and offsets, which is created
// for the first.
func (b *Broker) withOffsetsTopic(c call, got func(*metadata.Topic), failed func(*kerr.Error)) {
	if topic, ok := b.image().Topic(offsetsTopic); ok {
		got(topic)
		return
	}
	b.background(c, func(c call) {
		topic, err := b.internalTopic(c.ctx, offsetsTopic)
		if err != nil {
			failed(err.Code)
			return
		}
		got(topic)
	})
}

// offsetsPartition is where the offsets of a group are.
func offsetsPartition(topic *metadata.Topic, group string) txn.Partition {
	return txn.Partition{Topic: topic.Name, Index: coordinator.PartitionFor(group, int32(len(topic.Partitions)))}
}
