package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// EndTxn (key 26, v0-5): commit or abort. The answer leaves when the outcome
// is decided; markers follow, and until they are written the id is busy
// (CONCURRENT_TRANSACTIONS).
//
// From v5 on (transactions v2, KIP-890) the answer has the producer's next
// epoch, or its next id when the epochs are used up, and a retry gets the same
// answer. Up to v1 a fenced producer is told INVALID_PRODUCER_EPOCH.

func (b *Broker) endTxn(c call, req *kmsg.EndTxnRequest, reply func(*kmsg.EndTxnResponse)) {
	answer := func(g txn.Granted) {
		resp := kmsg.NewPtrEndTxnResponse()
		resp.ErrorCode = fencedAs(c.Version >= 2, g.Err)
		resp.ProducerID, resp.ProducerEpoch = g.Producer.ID, g.Producer.Epoch
		reply(resp)
	}
	if req.TransactionalID == "" {
		answer(txn.Refuse(kerr.InvalidRequest))
		return
	}
	end := txn.End{Producer: turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}, Commit: req.Commit}
	if c.Version >= 5 {
		end.Version = transactionsV2
	}
	b.grant(c, func(fresh int64, reply func(txn.Granted)) {
		end := end
		end.Fresh = fresh
		b.Transactions.EndTransaction(req.TransactionalID, &end, reply)
	}, answer)
}
