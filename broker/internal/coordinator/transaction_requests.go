package coordinator

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// The requests of the transaction APIs. What is said of those of groups holds
// for them.

// InitProducerID gives a transactional id to a process.
func (t *Transactions) InitProducerID(id string, req *txn.Init, reply func(txn.Granted)) {
	submit(t.Runtime, id, txn.Refuse, reply, func(s *txn.State, tn *turn.Turn) { s.Init(tn, req) })
}

// AddPartitions makes partitions part of a transaction. The reply is nil when
// they are.
func (t *Transactions) AddPartitions(id string, req *txn.Add, reply func(*kerr.Error)) {
	refuse := func(err *kerr.Error) *kerr.Error { return err }
	submit(t.Runtime, id, refuse, reply, func(s *txn.State, tn *turn.Turn) { s.Add(tn, req) })
}

// VerifyPartitions says which partitions are not in a transaction.
func (t *Transactions) VerifyPartitions(id string, req *txn.Verify, reply func(txn.Verdict)) {
	refuse := func(err *kerr.Error) txn.Verdict { return txn.Verdict{Err: err} }
	submit(t.Runtime, id, refuse, reply, func(s *txn.State, tn *turn.Turn) { s.Verify(tn, req) })
}

// EndTransaction replies when the outcome is decided; markers follow.
func (t *Transactions) EndTransaction(id string, req *txn.End, reply func(txn.Granted)) {
	submit(t.Runtime, id, txn.Refuse, reply, func(s *txn.State, tn *turn.Turn) { s.End(tn, req) })
}

// DescribeTransaction describes a transactional id.
func (t *Transactions) DescribeTransaction(id string, reply func(txn.Description)) {
	refuse := func(err *kerr.Error) txn.Description { return txn.Description{Err: err} }
	submit(t.Runtime, id, refuse, reply, func(s *txn.State, tn *turn.Turn) { s.Describe(tn) })
}

// ListTransactions lists the transactional ids of all shards that are loaded.
// The error is COORDINATOR_LOAD_IN_PROGRESS while one is not.
func (t *Transactions) ListTransactions() (list []txn.Listing, err *kerr.Error) {
	for _, s := range t.all() {
		s.mu.Lock()
		if s.shard == nil {
			err = kerr.CoordinatorLoadInProgress
		} else {
			for state := range s.shard.All() {
				list = append(list, state.Listing())
			}
		}
		s.mu.Unlock()
	}
	return list, err
}
