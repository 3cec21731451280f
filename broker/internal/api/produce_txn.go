package api

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
	"github.com/millrace-io/millrace/internal/record"
)

// A partition takes the first batch of a transaction only if the transaction's
// coordinator knows of the partition: else no marker would ever end it there,
// and read_committed would never get past it (KIP-890). So before anything of
// a transactional Produce is appended, the coordinator is asked once for all
// its partitions that have nothing of the transaction yet. Up to v11 it is
// asked whether they are in the transaction; from v12 on (transactions v2) the
// batch itself makes them a part of it.
//
// The connection waits meanwhile, as it does in Kafka: so batches that follow
// cannot overtake the first.

// firstBatch is a batch that begins a transaction in its partition.
type firstBatch struct {
	at       int // its place among the request's partitions
	part     *replica.Partition
	batch    record.Batch // of the frame
	guard    producerstate.Guard
	producer turn.Producer
	in       txn.Partition
	err      error // why it is refused
}

// joinTransaction asks the coordinator about the request under the cursor, and
// puts the cursor back.
func (p *produceReply) joinTransaction(r *server.Request, image *metadata.Image) {
	at := 0
	for p.req.NextTopic() {
		for p.req.NextPartition() {
			if f, ok := p.firstBatch(image); ok {
				f.at = at
				p.firsts = append(p.firsts, f)
			}
			at++
		}
	}
	p.req.Rewind()
	if len(p.firsts) == 0 {
		return
	}
	timeout := time.Duration(max(p.req.TimeoutMillis, 0)) * time.Millisecond
	ctx, cancel := context.WithTimeout(r.Context, timeout)
	defer cancel()
	verdict := p.askCoordinator(ctx)
	missing := verdict.Missing // in the order of what was asked
	for i := range p.firsts {
		f := &p.firsts[i]
		switch {
		case f.producer != p.firsts[0].producer:
			f.err = errProducers
		case verdict.Err != nil:
			f.err = joinError(p.req.Version, verdict.Err)
		case len(missing) > 0 && missing[0] == f.in:
			missing = missing[1:]
			f.err = errNotInTransaction
			if p.req.Version >= 11 {
				f.err = errAbortable
			}
		case p.req.Version >= 12:
			// The partition's marker of the transaction before may have come
			// while the coordinator was asked, and taken the guard with it. It
			// has this transaction's epoch, and the marker of this transaction
			// has a newer one, so a guard can be asked for again.
			f.guard, _ = f.part.Verify(f.batch)
		}
	}
}

var (
	errProducers        = fmt.Errorf("batches of several producers in one transaction: %w", kerr.InvalidRequest)
	errNotInTransaction = fmt.Errorf("the partition is not in the transaction: %w", kerr.InvalidTxnState)
	errAbortable        = fmt.Errorf("the partition is not in the transaction: %w", kerr.TransactionAbortable)
)

// firstBatch looks at the partition under the cursor. What is wrong with its
// batch is found by the append.
func (p *produceReply) firstBatch(image *metadata.Image) (f firstBatch, ok bool) {
	part, err := p.partition(image)
	if err != nil {
		return f, false
	}
	batch, _, err := record.Next(p.req.Records)
	if err != nil || len(batch) < record.HeaderSize || !batch.IsTransactional() || batch.IsControl() {
		return f, false
	}
	guard, ask := part.Verify(batch)
	f.guard, f.producer = guard, turn.Producer{ID: batch.ProducerID(), Epoch: batch.ProducerEpoch()}
	f.part, f.batch = part, batch
	f.in = txn.Partition{Topic: part.Topic(), Index: part.Index()}
	return f, ask
}

// askCoordinator waits for the coordinator's answer. A first batch that came
// before the markers of the transaction before waits there for a moment.
func (p *produceReply) askCoordinator(ctx context.Context) txn.Verdict {
	answered := make(chan txn.Verdict, 1)
	id, producer := string([]byte(p.req.TransactionalID)), p.firsts[0].producer
	partitions := make([]txn.Partition, len(p.firsts))
	for i := range p.firsts {
		partitions[i] = p.firsts[i].in
	}
	if p.req.Version >= 12 {
		p.b.Transactions.AddPartitions(id, &txn.Add{Producer: producer, Partitions: partitions, Version: transactionsV2}, func(err *kerr.Error) {
			answered <- txn.Verdict{Err: err}
		})
	} else {
		p.b.Transactions.VerifyPartitions(id, &txn.Verify{Producer: producer, Partitions: partitions}, func(v txn.Verdict) { answered <- v })
	}
	select {
	case v := <-answered:
		return v
	case <-ctx.Done():
		return txn.Verdict{Err: kerr.RequestTimedOut}
	}
}

// joinError is the coordinator's error as Produce tells it: one about the
// coordinator itself is one to try again, and of a fenced producer Produce
// says INVALID_PRODUCER_EPOCH.
func joinError(version int16, err *kerr.Error) error {
	code := err
	switch err {
	case kerr.ProducerFenced:
		code = kerr.InvalidProducerEpoch
	case kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress:
		code = kerr.NotEnoughReplicas
	case kerr.ConcurrentTransactions:
		if version < 12 {
			code = kerr.NotEnoughReplicas
		}
	}
	return fmt.Errorf("the coordinator of the transaction: %s: %w", err.Message, code)
}

// joined finds what was decided about the partition that is served next.
func (p *produceReply) joined() (guard producerstate.Guard, err error) {
	n := p.firstsServed
	for n < len(p.firsts) && p.firsts[n].at < len(p.parts) {
		n++ // It was refused before anyone looked here.
	}
	p.firstsServed = n
	if n == len(p.firsts) || p.firsts[n].at > len(p.parts) {
		return 0, nil
	}
	return p.firsts[n].guard, p.firsts[n].err
}
