package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
)

// A transactor is a client with a transactional id, together with a
// coordinator that forgets nothing: what is tried here are the partitions. It
// sends a transaction's batches to several partitions, decides, and writes
// markers until all of them are committed, over as many lives of the broker as
// that takes.
type transactor struct {
	id int64
	// bumps: transactions v2 (KIP-890), in which every end raises the epoch.
	bumps bool
	epoch int16
	lanes []*lane
	txn   *transaction // nil between two
	ended []*transaction
	late  *late
}

// transaction is one of a transactor.
type transaction struct {
	outcome outcome
	parts   []*part
}

// part is a partition that a transaction includes, since its first batch was
// about to be sent there.
type part struct {
	lane   *lane
	sent   []*sent
	marked bool // the marker is committed
}

// outcome is what became of a transaction.
type outcome uint8

const (
	undecided outcome = iota
	committed
	aborted
)

func (o outcome) String() string { return [...]string{"open", "committed", "aborted"}[o] }

// late is a batch that is held up on its way, after the coordinator was asked,
// until its transaction is over.
type late struct {
	txn   *transaction
	lane  *lane
	life  *life
	batch record.Batch
	guard producerstate.Guard
}

func (t *transaction) part(l *lane) *part {
	for _, p := range t.parts {
		if p.lane == l {
			return p
		}
	}
	return nil
}

// transact lets a transactor take its next step.
func (w *World) transact(x *transactor) error {
	if len(x.lanes) == 0 {
		return nil
	}
	switch {
	case x.txn != nil && x.txn.outcome != undecided:
		return w.mark(x)
	case x.txn != nil && w.steps.IntN(4) == 0:
		x.decide(w)
		return nil
	case x.late == nil && w.steps.IntN(10) == 0:
		w.delay(x)
		return nil
	case x.late != nil && x.late.txn != x.txn:
		return w.arrive(x)
	}
	return w.produce(x.enter(w))
}

// enter picks a partition and makes it part of the transaction, which begins
// with the first.
func (x *transactor) enter(w *World) *lane {
	if x.txn == nil {
		x.txn = &transaction{}
	}
	l := x.lanes[w.steps.IntN(len(x.lanes))]
	if x.txn.part(l) == nil {
		x.txn.parts = append(x.txn.parts, &part{lane: l})
	}
	return l
}

// decide ends the transaction: it can commit when everything is acknowledged.
// An abort does not wait where the next epoch keeps late batches out.
func (x *transactor) decide(w *World) {
	done := !slices.ContainsFunc(x.txn.parts, func(p *part) bool { return len(p.lane.queue) > 0 })
	switch {
	case done && w.steps.IntN(2) == 0:
		x.txn.outcome = committed
	case done || x.bumps:
		x.txn.outcome = aborted
	default:
		return
	}
	w.trace.add("%v: transaction %v", x, x.txn.outcome)
}

func (x *transactor) String() string { return fmt.Sprintf("transactor %d epoch %d", x.id, x.epoch) }

// mark writes the markers that are not committed yet, or ends the transaction
// when none is left.
func (w *World) mark(x *transactor) error {
	left := slices.DeleteFunc(slices.Clone(x.txn.parts), func(p *part) bool { return p.marked })
	if len(left) == 0 {
		x.finish()
		w.transactions++
		return nil
	}
	return w.writeMarker(x, left[w.steps.IntN(len(left))])
}

// finish goes over to the next transaction.
func (x *transactor) finish() {
	x.ended = append(x.ended, x.txn)
	x.txn = nil
	if !x.bumps {
		return
	}
	x.epoch++
	for _, l := range x.lanes {
		l.epoch, l.sequence = x.epoch, 0
		l.queue, l.recent, l.resend = nil, nil, 0
	}
}

// writeMarker writes one marker, again if its commit was not seen.
func (w *World) writeMarker(x *transactor, part *part) error {
	p := w.life.partition(part.lane.at)
	if p == nil {
		return nil
	}
	m := replica.Marker{ProducerID: x.id, ProducerEpoch: x.epoch, CoordinatorEpoch: int32(w.lives), Commit: x.txn.outcome == committed}
	if x.bumps {
		m.ProducerEpoch, m.TransactionVersion = x.epoch+1, 2
	}
	content := producerstate.Marker{Committed: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}
	batch, err := content.Batch(m.ProducerID, m.ProducerEpoch, w.now.UnixMilli())
	if err != nil {
		return err
	}
	_, epoch := p.Leader()
	log := w.logs[part.lane.at]
	log.append(batch, epoch)
	res, err := p.WriteMarker(m)
	if w.dead() {
		return nil
	}
	w.trace.add("%v: marker to %v at %d: %v", x, part.lane.at, res.LastOffset, err)
	if err != nil {
		log.undo()
		return w.refused(x.String(), p, err)
	}
	if last := log.entries[len(log.entries)-1].last; res.LastOffset != last {
		return fmt.Errorf("I13: %v: the marker is at %d, the reply says %d", x, last, res.LastOffset)
	}
	w.await(p, res, func() error {
		part.marked = true
		return log.keep(res.LastOffset+1, "marked")
	})
	return nil
}

// delay asks the coordinator about a batch, and holds the batch up.
func (w *World) delay(x *transactor) {
	l := x.enter(w)
	p := w.life.partition(l.at)
	if p == nil || len(l.queue) > 0 {
		return
	}
	b := w.buildBatch(l, 1)
	guard, _ := p.Verify(b)
	x.late = &late{txn: x.txn, lane: l, life: w.life, batch: b, guard: guard}
}

// arrive sends what was held up, now that its transaction is over. It would
// open a transaction that nobody ends, so it must be refused.
func (w *World) arrive(x *transactor) error {
	late := x.late
	x.late = nil
	p := w.life.partition(late.lane.at)
	if p == nil || late.life != w.life || w.logs[late.lane.at] == nil {
		return nil
	}
	if part := late.txn.part(late.lane); part == nil || !part.marked || slices.Contains(x.lanes, late.lane) && x.txn != nil && x.txn.part(late.lane) != nil {
		return nil // In transactions v1 it would slip into the next one there.
	}
	_, epoch := p.Leader()
	res, err := p.Append(late.batch, replica.AppendRequest{Acks: replica.AcksAll, LeaderEpoch: epoch, Guard: late.guard})
	if w.dead() {
		return nil
	}
	w.trace.add("%v: late batch to %v: %v", x, late.lane.at, err)
	if err == nil && !res.Duplicate { // In transactions v1 another may have taken its sequence.
		return fmt.Errorf("hanging transaction: %v: a batch of a transaction that is over was appended to %v at %d", x, late.lane.at, res.BaseOffset)
	}
	return nil
}

// forget drops the partitions of a topic that was deleted: there is nothing to
// mark, and nothing to see.
func (x *transactor) forget(gone func(*lane) bool) {
	x.lanes = slices.DeleteFunc(x.lanes, gone)
	inGone := func(p *part) bool { return gone(p.lane) }
	if x.txn != nil {
		x.txn.parts = slices.DeleteFunc(x.txn.parts, inGone)
	}
	for _, t := range x.ended {
		t.parts = slices.DeleteFunc(t.parts, inGone)
	}
}

// endTransactions ends those that are open, in the last life.
func (w *World) endTransactions() error {
	for _, x := range w.transactors {
		for x.txn != nil {
			for _, p := range x.txn.parts {
				for x.txn.outcome == undecided && p.lane.resend < len(p.lane.queue) {
					if err := w.produce(p.lane); err != nil {
						return err
					}
				}
			}
			w.flushAll()
			if x.txn.outcome == undecided {
				x.decide(w)
			} else if err := w.mark(x); err != nil {
				return err
			}
			if err := cmp.Or(w.failed, w.watch()); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTransactions reads everything back with read_committed: what was
// committed is there once, of what was aborted nothing is.
func (w *World) checkTransactions() error {
	for _, x := range w.transactors {
		seen := map[*lane]map[string]int{}
		for _, l := range x.lanes {
			visible, err := w.readAll(l.at)
			if err != nil {
				return err
			}
			seen[l] = visible
		}
		for _, t := range x.ended {
			for _, p := range t.parts {
				if err := t.check(p, seen[p.lane], w.logs[p.lane.at]); err != nil {
					return fmt.Errorf("%v: %w", x, err)
				}
			}
		}
	}
	return nil
}

// check holds what is visible of one partition's part against the outcome.
func (t *transaction) check(p *part, visible map[string]int, m *logModel) error {
	if visible == nil || m.compacted {
		return nil // The topic was deleted, or records are gone that newer ones have replaced.
	}
	for _, s := range p.sent {
		if e := m.find(s.batch); e != nil && e.base < m.start {
			continue
		}
		want := 0
		if t.outcome == committed {
			want = 1
		}
		if got := visible[string(content(s.batch))]; got != want {
			return fmt.Errorf("anomaly 12: %v in %v: %v is visible %d times", t.outcome, p.lane.at, s.batch, got)
		}
	}
	return nil
}
