package sim

import (
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
)

// span is a transaction as one log shows it.
type span struct {
	producer int64
	first    int64
	marker   int64 // -1 while it is open
	outcome  outcome
}

// spans goes over a log for its transactions, in the order of their beginnings.
func (m *logModel) spans() []span {
	var all []span
	open := map[int64]int{} // place of the producer's open one
	for i := range m.entries {
		e := &m.entries[i]
		id := e.batch.ProducerID()
		at, isOpen := open[id]
		switch {
		case !e.batch.IsTransactional():
		case !e.batch.IsControl() && !isOpen:
			open[id] = len(all)
			all = append(all, span{producer: id, first: e.base, marker: -1})
		case e.batch.IsControl() && isOpen:
			delete(open, id)
			all[at].marker, all[at].outcome = e.last, aborted
			if marker, found, _ := producerstate.ParseMarker(e.batch); found && marker.Committed {
				all[at].outcome = committed
			}
		}
	}
	return all
}

// spanOf is the transaction of a batch that stands at an offset, the zero span
// for none.
func spanOf(all []span, b record.Batch, at int64) span {
	i := slices.IndexFunc(all, func(s span) bool {
		return b.IsTransactional() && s.producer == b.ProducerID() && s.first <= at && (at < s.marker || s.marker < 0)
	})
	if i < 0 {
		return span{}
	}
	return all[i]
}

// stable returns between which offsets the last stable offset must lie under a
// high watermark. They differ only where retention has removed the beginning
// of a transaction: a recovery then sees what is left of it.
func (m *logModel) stable(hw int64) (low, high int64) {
	low, high = hw, hw
	for _, s := range m.spans() {
		if s.marker >= 0 && s.marker < hw {
			continue
		}
		low = min(low, s.first)
		if s.first >= m.start {
			high = min(high, s.first)
		}
	}
	return max(low, min(m.start, hw)), high
}

// checkStable holds a partition's last stable offset against the log (I8).
func (m *logModel) checkStable(p *replica.Partition) error {
	hw, lso := p.HighWatermark(), p.LastStable()
	if low, high := m.stable(hw); lso < low || lso > high {
		return fmt.Errorf("I8: %s: under a high watermark of %d the last stable offset is %d, the log says %d to %d", m.name, hw, lso, low, high)
	}
	return nil
}

// filter is what a consumer under read_committed does with what it fetches:
// it drops the batches of producers that are in an aborted transaction.
type filter struct {
	aborted []commitlog.AbortedTxn // rising by first offset
	in      map[int64]bool
}

func newFilter(list []commitlog.AbortedTxn) *filter {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b commitlog.AbortedTxn) int { return int(a.FirstOffset - b.FirstOffset) })
	return &filter{list, map[int64]bool{}}
}

// passes reports whether a batch reaches the application.
func (f *filter) passes(b record.Batch) bool {
	for len(f.aborted) > 0 && f.aborted[0].FirstOffset <= b.LastOffset() {
		f.in[f.aborted[0].ProducerID] = true
		f.aborted = f.aborted[1:]
	}
	if b.IsControl() {
		if marker, found, _ := producerstate.ParseMarker(b); found && !marker.Committed {
			delete(f.in, b.ProducerID())
		}
		return false
	}
	return !b.IsTransactional() || !f.in[b.ProducerID()]
}

// committedOnly checks what a fetch under read_committed returned: it ends at
// the last stable offset, and its list makes a consumer drop what was aborted
// and nothing else.
func (m *logModel) committedOnly(batches []record.Batch, res replica.ReadResult) error {
	f := newFilter(res.Aborted)
	all := m.spans()
	for _, b := range batches {
		if b.LastOffset() >= res.LastStable {
			return fmt.Errorf("I8: %s: %v was read under a last stable offset of %d", m.name, b, res.LastStable)
		}
		passes := f.passes(b)
		if b.IsControl() {
			continue
		}
		if want := spanOf(all, b, b.BaseOffset()).outcome != aborted; passes != want {
			return fmt.Errorf("anomaly 12: %s: %v reaches the application: %v, by the log: %v; aborted transactions %+v", m.name, b, passes, want, res.Aborted)
		}
	}
	return nil
}

// readAll reads a partition with read_committed, and counts what reaches the
// application.
func (w *World) readAll(at partitionID) (map[string]int, error) {
	visible := map[string]int{}
	p := w.life.partition(at)
	if p == nil {
		return visible, nil
	}
	for offset := p.LogStart(); offset < p.LastStable(); {
		batches, res, err := w.fetch(p, offset, replica.ReadCommitted)
		if err != nil || len(batches) == 0 {
			return visible, fmt.Errorf("I2: %v: read of %d below the last stable offset %d: %d batches, %w", at, offset, p.LastStable(), len(batches), err)
		}
		if err := w.logs[at].committedOnly(batches, res); err != nil {
			return visible, err
		}
		f := newFilter(res.Aborted)
		for _, b := range batches {
			if f.passes(b) {
				visible[string(content(b))]++
			}
			offset = b.LastOffset() + 1
		}
	}
	if p.LastStable() != p.HighWatermark() {
		return visible, fmt.Errorf("hanging transaction: %v: all have ended, the last stable offset is %d, the high watermark %d", at, p.LastStable(), p.HighWatermark())
	}
	return visible, nil
}
