package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// AddPartitionsToTxn (key 24, v0-5): partitions that a transaction will write
// to, announced before the first batch, so that its end knows where to write
// markers.
//
// Clients send up to v3. From v4 on brokers ask for several transactions at
// once (KIP-890): to verify that a batch belongs to a transaction, or to add
// the partition in the name of a client with transactions v2. All partitions of
// a transaction are added, or none: then those that do not exist have
// UNKNOWN_TOPIC_OR_PARTITION and the others OPERATION_NOT_ATTEMPTED. Up to v1 a
// fenced producer is told INVALID_PRODUCER_EPOCH, up to v4 a partition that is
// missing from the transaction is INVALID_TXN_STATE.

func (b *Broker) addPartitionsToTxn(c call, req *kmsg.AddPartitionsToTxnRequest, reply func(*kmsg.AddPartitionsToTxnResponse)) {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	if c.Version < 4 {
		b.addToTxn(c, singleTransaction(req), func(one kmsg.AddPartitionsToTxnResponseTransaction) {
			for _, t := range one.Topics {
				topic := kmsg.NewAddPartitionsToTxnResponseTopic()
				topic.Topic = t.Topic
				for _, p := range t.Partitions {
					topic.Partitions = append(topic.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p.Partition, ErrorCode: p.ErrorCode})
				}
				resp.Topics = append(resp.Topics, topic)
			}
			reply(resp)
		})
		return
	}
	resp.Transactions = make([]kmsg.AddPartitionsToTxnResponseTransaction, len(req.Transactions))
	gather(len(req.Transactions), func(i int, answered func()) {
		b.addToTxn(c, req.Transactions[i], func(one kmsg.AddPartitionsToTxnResponseTransaction) {
			resp.Transactions[i] = one
			answered()
		})
	}, func() { reply(resp) })
}

// singleTransaction brings a request for one transaction into the form of
// several.
func singleTransaction(req *kmsg.AddPartitionsToTxnRequest) kmsg.AddPartitionsToTxnRequestTransaction {
	one := kmsg.NewAddPartitionsToTxnRequestTransaction()
	one.TransactionalID, one.ProducerID, one.ProducerEpoch = req.TransactionalID, req.ProducerID, req.ProducerEpoch
	for _, t := range req.Topics {
		one.Topics = append(one.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	return one
}

// addToTxn adds or verifies the partitions of one transaction.
func (b *Broker) addToTxn(c call, req kmsg.AddPartitionsToTxnRequestTransaction, reply func(kmsg.AddPartitionsToTxnResponseTransaction)) {
	var partitions []txn.Partition
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			partitions = append(partitions, txn.Partition{Topic: t.Topic, Index: p})
		}
	}
	all := func(err *kerr.Error) {
		code := fencedAs(c.Version >= 2, err)
		reply(addedToTxn(&req, func(txn.Partition) int16 { return code }))
	}
	producer := turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	image := b.image()
	switch {
	case req.TransactionalID == "":
		all(kerr.InvalidRequest)
	case req.VerifyOnly:
		b.Transactions.VerifyPartitions(req.TransactionalID, &txn.Verify{Producer: producer, Partitions: partitions}, func(v txn.Verdict) {
			if v.Err != nil {
				all(v.Err)
				return
			}
			reply(addedToTxn(&req, func(p txn.Partition) int16 { return missingAs(c.Version >= 5, v, p) }))
		})
	case slices.ContainsFunc(partitions, func(p txn.Partition) bool { return !exists(image, p) }):
		reply(addedToTxn(&req, func(p txn.Partition) int16 { return notAttempted(image, p) }))
	default:
		add := &txn.Add{Producer: producer, Partitions: partitions}
		if c.Version >= 4 {
			add.Version = transactionsV2
		}
		b.Transactions.AddPartitions(req.TransactionalID, add, all)
	}
}

// notAttempted is the code for a partition beside others that do not exist.
func notAttempted(image *metadata.Image, p txn.Partition) int16 {
	if exists(image, p) {
		return kerr.OperationNotAttempted.Code
	}
	return kerr.UnknownTopicOrPartition.Code
}

// missingAs is the code for a partition that was verified, for a client that
// may not know TRANSACTION_ABORTABLE yet.
func missingAs(known bool, v txn.Verdict, p txn.Partition) int16 {
	switch {
	case !slices.Contains(v.Missing, p):
		return 0
	case known:
		return kerr.TransactionAbortable.Code
	}
	return kerr.InvalidTxnState.Code
}

// addedToTxn answers each partition of a transaction.
func addedToTxn(req *kmsg.AddPartitionsToTxnRequestTransaction, code func(txn.Partition) int16) kmsg.AddPartitionsToTxnResponseTransaction {
	resp := kmsg.NewAddPartitionsToTxnResponseTransaction()
	resp.TransactionalID = req.TransactionalID
	for _, t := range req.Topics {
		topic := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		topic.Topic = t.Topic
		for _, index := range t.Partitions {
			p := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
			p.Partition, p.ErrorCode = index, code(txn.Partition{Topic: t.Topic, Index: index})
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
