package replica

import (
	"fmt"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/internal/mutant"
	"github.com/millrace-io/millrace/internal/record"
)

// Isolation is what a consumer wants to see (KIP-98).
type Isolation int8

// The isolation levels, as in Kafka's protocol.
const (
	// ReadUncommitted: everything below the high watermark.
	ReadUncommitted Isolation = 0
	// ReadCommitted: everything below the last stable offset, with the list of
	// transactions whose records are to be dropped.
	ReadCommitted Isolation = 1
)

// transactionsV2 is the version of transactions from which on the epoch is
// bumped at the end of each (KIP-890).
const transactionsV2 = 2

// Marker ends a producer's transaction in a partition.
type Marker struct {
	ProducerID    int64
	ProducerEpoch int16
	// CoordinatorEpoch is the leader epoch of the coordinator's partition.
	CoordinatorEpoch int32
	Commit           bool
	// TransactionVersion is 2 if the epoch is that of the next transaction.
	TransactionVersion int8
}

// WriteMarker appends a marker. Its transaction is over for read_committed
// consumers once the marker is committed, which Await waits for. A marker of
// an old epoch or of a coordinator that was replaced is refused; one that is
// written twice does no harm.
func (p *Partition) WriteMarker(m Marker) (AppendResult, error) {
	content := producerstate.Marker{Committed: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}
	b, err := content.Batch(m.ProducerID, m.ProducerEpoch, p.deps.Now().UnixMilli())
	if err != nil {
		return AppendResult{}, fmt.Errorf("marker for producer %d: %w", m.ProducerID, err)
	}
	return p.Append(b, AppendRequest{
		Acks: AcksAll, LeaderEpoch: -1, Internal: true, bumps: m.TransactionVersion >= transactionsV2,
	})
}

// LastStable is the offset below which no transaction is open: where a
// read_committed consumer stops. It is at most the high watermark, and passes
// a transaction once its marker is committed.
func (p *Partition) LastStable() int64 { return p.lastStable.Load() }

// Verify tells whether the transaction coordinator has to be asked before a
// transactional batch can be appended: it is the first of its transaction
// here. The batch is then appended under the guard (KIP-890).
func (p *Partition) Verify(b record.Batch) (guard producerstate.Guard, ask bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.producers.Verify(b, p.deps.Now())
}

// VerifyProducer is Verify for what a coordinator writes for a producer. The
// guard is zero where the transaction is open here already.
func (p *Partition) VerifyProducer(id int64, epoch int16) producerstate.Guard {
	p.mu.Lock()
	defer p.mu.Unlock()
	guard, _ := p.producers.VerifyProducer(id, epoch, p.deps.Now())
	return guard
}

// CheckProducer says why a coordinator must not write for a producer here: it
// was fenced, or its transaction is not open and the guard does not let it
// begin one. The answer holds until a marker is written.
func (p *Partition) CheckProducer(id int64, epoch int16, guard producerstate.Guard) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.producers.CheckEpoch(id, epoch); err != nil {
		return err
	}
	if !p.producers.Ongoing(id, epoch) && !p.producers.VerifiedProducer(id, epoch, guard) {
		return fmt.Errorf("%w: producer %d, epoch %d", ErrInvalidTxnState, id, epoch)
	}
	return nil
}

// ActiveProducers are the producers that this leader remembers, by id.
func (p *Partition) ActiveProducers() ([]producerstate.Producer, error) {
	if err := p.role.Load().check(-1); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.producers.Expire(p.deps.Now())
	all := make([]producerstate.Producer, 0, p.producers.Len())
	for producer := range p.producers.All() {
		all = append(all, *producer)
	}
	return all, nil
}

// stable is where read_committed ends, and how many bytes lie below. The
// caller holds mu.
func (p *Partition) stable(at Positions, visible int64) (offset, bytes int64) {
	p.producers.Settle(at.HighWatermark)
	first, ok := p.producers.FirstUnstable()
	if !ok || first.FirstOffset >= at.HighWatermark {
		return at.HighWatermark, visible
	}
	if mutant.On("M35") {
		first.FirstOffset++
	}
	// DeleteRecords may have removed where the transaction begins.
	return max(first.FirstOffset, at.Start), min(first.Position, visible)
}

// check decides on a batch in the producers' state: a retry, new or refused.
// Markers speak for the coordinator and have no sequence, and neither have
// batches that a coordinator writes for a producer.
func (p *Partition) check(a *pending) (duplicate producerstate.Batch, found bool, err error) {
	b := a.batch
	if b.IsControl() {
		m, isMarker, err := producerstate.ParseMarker(b)
		if err == nil && isMarker {
			err = p.producers.CheckMarker(b.ProducerID(), b.ProducerEpoch(), m, a.request.bumps)
		}
		return duplicate, false, err
	}
	if a.request.Internal && b.IsTransactional() {
		return duplicate, false, p.producers.CheckEpoch(b.ProducerID(), b.ProducerEpoch())
	}
	duplicate, found, err = p.producers.Check(b, p.writing)
	if found || err != nil || !b.IsTransactional() {
		return duplicate, found, err
	}
	if !p.producers.Ongoing(b.ProducerID(), b.ProducerEpoch()) && !p.producers.Verified(b, a.request.Guard) {
		return duplicate, false, fmt.Errorf("%w: producer %d, epoch %d", ErrInvalidTxnState, b.ProducerID(), b.ProducerEpoch())
	}
	return duplicate, false, nil
}

// aborted lists the transactions that the updates since the last commit have
// aborted, for the log's index.
func (p *Partition) aborted() []commitlog.AbortedTxn {
	p.aborts = p.aborts[:0]
	for _, e := range p.producers.Ended() {
		if !e.Committed {
			p.aborts = append(p.aborts, abortedTxn(e))
		}
	}
	return p.aborts
}

func abortedTxn(e producerstate.Ended) commitlog.AbortedTxn {
	return commitlog.AbortedTxn{
		ProducerID: e.ProducerID, FirstOffset: e.FirstOffset, LastOffset: e.LastOffset, LastStable: e.LastStable,
	}
}
