package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// Markers writes the ends of transactions into partitions.
type Markers interface {
	// WriteMarker writes a marker and calls done once, on any goroutine: with
	// nil when the partition has committed it, or is no more. It does not wait
	// for that.
	WriteMarker(p txn.Partition, m Marker, done func(error))
}

// TransactionOptions configure the coordinator of transactions.
type TransactionOptions struct {
	// Txn are the settings of transactional ids.
	Txn txn.Options
	// Markers is where transactions end.
	Markers Markers
	// Logger takes loads and failures. Nil discards them.
	Logger *slog.Logger
}

// Transactions coordinates the transactional ids of all partitions of
// __transaction_state that this node leads. Make one with NewTransactions, and
// let Run run.
type Transactions struct {
	*Runtime[*txn.State]
	markers Markers
	work    work
}

// NewTransactions returns Transactions that lead nothing yet.
func NewTransactions(opts TransactionOptions) *Transactions {
	t := &Transactions{
		Runtime: newRuntime(transactionKind(&opts.Txn), opts.Logger),
		markers: opts.Markers, work: work{wake: newAlarm()},
	}
	t.act = func(s *seat[*txn.State], effect any) {
		e := effect.(*txn.Ending)
		t.work.add(func() { t.mark(s, e) })
	}
	return t
}

// A TransactionShard holds the transactional ids of one partition.
type TransactionShard = Shard[*txn.State]

// NewTransactionShard returns a shard without transactional ids.
func NewTransactionShard(opts *txn.Options) *TransactionShard {
	k := transactionKind(opts)
	return newShard(&k)
}

func transactionKind(opts *txn.Options) kind[*txn.State] {
	return kind[*txn.State]{
		name:   "transactional ids",
		create: func(id string) *txn.State { return txn.New(id, opts) },
		gone:   (*txn.State).Gone,
		read:   readTransactionRecord,
	}
}

func readTransactionRecord(key, value []byte) (entryRecord[*txn.State], error) {
	rec, err := txn.Decode(key, value)
	if errors.Is(err, txn.ErrUnknownRecord) {
		return entryRecord[*txn.State]{}, fmt.Errorf("%w: %w", errUnknownRecord, err)
	}
	if err != nil {
		return entryRecord[*txn.State]{}, err
	}
	apply := func(s *txn.State, _ *turn.Producer, now time.Time) { s.Apply(rec, now) }
	return entryRecord[*txn.State]{rec.ID, apply}, nil
}

// Run does what Runtime.Run does, and writes markers meanwhile: a third
// goroutine, since news of a commit come on those of others, which must not
// wait.
func (t *Transactions) Run(ctx context.Context) error {
	var writing sync.WaitGroup
	writing.Go(func() { t.work.run(ctx) })
	err := t.Runtime.Run(ctx)
	writing.Wait()
	return err
}

// mark writes the markers of an ending, and tells its machine when all of them
// are committed.
func (t *Transactions) mark(s *seat[*txn.State], e *txn.Ending) {
	m := Marker{
		ProducerID: e.Producer.ID, ProducerEpoch: e.Producer.Epoch,
		CoordinatorEpoch: s.log.Epoch(), Commit: e.Commit, Version: e.Version,
	}
	all := &countdown{left: len(e.Partitions) + 1, done: func(err error) {
		t.work.add(func() { t.marked(s, e, err) })
	}}
	for _, p := range e.Partitions {
		t.markers.WriteMarker(p, m, func(err error) {
			if err != nil {
				err = fmt.Errorf("marker of %s to %v: %w", e.ID, p, err)
			}
			all.one(err)
		})
	}
	all.one(nil)
}

func (t *Transactions) marked(s *seat[*txn.State], e *txn.Ending, err error) {
	if err != nil {
		t.logger.Warn("a transaction waits for its markers", "err", err)
	}
	out := s.tell(time.Now(), e.ID, func(state *txn.State, tn *turn.Turn) { state.Marked(tn, e, err) })
	t.schedule(out.next)
	t.finish(s, out)
}

// A countdown calls done when the last of several is, with the first error.
type countdown struct {
	mu   sync.Mutex
	left int
	err  error
	done func(error)
}

func (c *countdown) one(err error) {
	c.mu.Lock()
	c.left--
	if c.err == nil {
		c.err = err
	}
	last, err := c.left == 0, c.err
	c.mu.Unlock()
	if last {
		c.done(err)
	}
}

// work is what one goroutine does in order, for others that must not wait.
type work struct {
	wake alarm

	mu   sync.Mutex
	todo []func()
}

func (w *work) add(f func()) {
	w.mu.Lock()
	w.todo = append(w.todo, f)
	w.mu.Unlock()
	w.wake.ring()
}

func (w *work) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		w.mu.Lock()
		todo := w.todo
		w.todo = nil
		w.mu.Unlock()
		for _, f := range todo {
			f()
		}
	}
}
