package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/txn"
)

// DescribeTransactions (key 65, v0): where transactional ids stand, and what
// their transactions include (KIP-664). The start is -1 outside of one.

func (b *Broker) describeTransactions(_ call, req *kmsg.DescribeTransactionsRequest, reply func(*kmsg.DescribeTransactionsResponse)) {
	resp := kmsg.NewPtrDescribeTransactionsResponse()
	resp.TransactionStates = make([]kmsg.DescribeTransactionsResponseTransactionState, len(req.TransactionalIDs))
	gather(len(req.TransactionalIDs), func(i int, answered func()) {
		id := req.TransactionalIDs[i]
		if id == "" {
			resp.TransactionStates[i] = describedTransaction(id, txn.Description{Err: kerr.InvalidRequest})
			answered()
			return
		}
		b.Transactions.DescribeTransaction(id, func(d txn.Description) {
			resp.TransactionStates[i] = describedTransaction(id, d)
			answered()
		})
	}, func() { reply(resp) })
}

func describedTransaction(id string, d txn.Description) kmsg.DescribeTransactionsResponseTransactionState {
	state := kmsg.NewDescribeTransactionsResponseTransactionState()
	state.TransactionalID = id
	if d.Err != nil {
		state.ErrorCode = d.Err.Code
		return state
	}
	state.State = d.Phase.String()
	state.TimeoutMillis = int32(d.Timeout / time.Millisecond)
	state.ProducerID, state.ProducerEpoch = d.Producer.ID, d.Producer.Epoch
	state.StartTimestamp = -1
	if !d.Started.IsZero() {
		state.StartTimestamp = d.Started.UnixMilli()
	}
	for _, p := range d.Partitions {
		if n := len(state.Topics); n == 0 || state.Topics[n-1].Topic != p.Topic {
			state.Topics = append(state.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: p.Topic})
		}
		last := &state.Topics[len(state.Topics)-1]
		last.Partitions = append(last.Partitions, p.Index)
	}
	return state
}
