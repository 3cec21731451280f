package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// TxnOffsetCommit (key 28, v0-6): offsets that a group has when the
// transaction commits. From v3 on they name member and generation (KIP-447),
// from v6 on topics by id.
//
// The coordinator of the transaction has to know of the group's partition, or
// no marker would ever come there (KIP-890). With transactions v2 (v5 and
// later) the commit itself makes it a part of the transaction; before, it is
// verified that AddOffsetsToTxn has. Offsets that reach the log only after the
// transaction's marker are refused.

func (b *Broker) txnOffsetCommit(c call, req *kmsg.TxnOffsetCommitRequest, reply func(*kmsg.TxnOffsetCommitResponse)) {
	image := b.image()
	var refused []kmsg.TxnOffsetCommitResponseTopic
	known := req.Topics[:0:0]
	for _, t := range req.Topics {
		if c.Version >= 6 {
			topic, ok := image.TopicByID(t.TopicID)
			if !ok {
				refused = append(refused, unknownTxnCommit(t))
				continue
			}
			t.Topic = topic.Name
		}
		known = append(known, t)
	}
	req.Topics = known
	answer := func(resp *kmsg.TxnOffsetCommitResponse) {
		for i := range resp.Topics {
			if topic, ok := image.Topic(resp.Topics[i].Topic); ok {
				resp.Topics[i].TopicID = topic.ID
			}
		}
		resp.Topics = append(resp.Topics, refused...)
		reply(resp)
	}
	refuse := func(err *kerr.Error) { answer(group.RefuseTxnCommit(req, err)) }
	if req.TransactionalID == "" || req.ProducerID < 0 || req.ProducerEpoch < 0 {
		refuse(kerr.InvalidRequest)
		return
	}
	b.withOffsetsTopic(c, func(topic *metadata.Topic) {
		join := func(done func(*kerr.Error)) { b.joinTxn(c, req, offsetsPartition(topic, req.Group), done) }
		b.Coordinator.TxnOffsetCommit(c.ctx, req, join, answer)
	}, refuse)
}

// joinTxn sees to it that a group's partition is in the transaction.
func (b *Broker) joinTxn(c call, req *kmsg.TxnOffsetCommitRequest, p txn.Partition, done func(*kerr.Error)) {
	producer := turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	if c.Version >= 5 {
		b.Transactions.AddPartitions(req.TransactionalID, &txn.Add{
			Producer: producer, Partitions: []txn.Partition{p}, Version: transactionsV2,
		}, done)
		return
	}
	b.Transactions.VerifyPartitions(req.TransactionalID, &txn.Verify{Producer: producer, Partitions: []txn.Partition{p}}, func(v txn.Verdict) {
		if v.Err == nil && len(v.Missing) > 0 {
			v.Err = kerr.InvalidTxnState
		}
		done(v.Err)
	})
}

func unknownTxnCommit(t kmsg.TxnOffsetCommitRequestTopic) kmsg.TxnOffsetCommitResponseTopic {
	topic := kmsg.NewTxnOffsetCommitResponseTopic()
	topic.TopicID = t.TopicID
	for _, p := range t.Partitions {
		part := kmsg.NewTxnOffsetCommitResponseTopicPartition()
		part.Partition, part.ErrorCode = p.Partition, kerr.UnknownTopicID.Code
		topic.Partitions = append(topic.Partitions, part)
	}
	return topic
}
