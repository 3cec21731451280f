package sim

import (
	"bytes"
	"fmt"

	"github.com/millrace-io/millrace/internal/record"
)

// compact lets the cleaner do what is due. Also a process that dies over it may
// have replaced something.
func (w *World) compact() error {
	for _, p := range w.life.care() {
		if m := w.logs[partitionID{p.Topic(), p.Index()}]; m.compacted {
			m.cleaned = max(m.cleaned, p.LastStable())
		}
	}
	n := w.life.dir.Compact(w.now, nil)
	if w.dead() {
		return nil
	}
	stats := w.life.dir.CleanerStats()
	w.trace.add("compacted %d logs, %d records dropped so far", n, stats.Dropped)
	w.dropped += int(stats.Dropped) - w.life.dropped
	w.life.dropped = int(stats.Dropped)
	if stats.Uncleanable > 0 {
		return fmt.Errorf("I5: the cleaner has given up on %d logs", stats.Uncleanable)
	}
	return w.checkCompacted()
}

// checkCompacted holds the logs against the model, as a start does.
func (w *World) checkCompacted() error {
	for _, p := range w.life.care() {
		id := partitionID{p.Topic(), p.Index()}
		if !w.logs[id].compacted || w.life.sick {
			continue
		}
		if err := w.checkRecovered(id, p); err != nil || w.dead() {
			return err
		}
	}
	return nil
}

// recoveredCompacted is recovered for a compacted log: what is there was
// appended there, and what lacks was replaced by something newer.
func (m *logModel) recoveredCompacted(batches []record.Batch, start, end int64) error {
	there := map[int64]bool{}
	for _, b := range batches {
		e := m.at(b.BaseOffset())
		if e == nil {
			return fmt.Errorf("I5: %s: %v was never appended", m.name, b)
		}
		if err := e.checkRest(b); err != nil {
			return fmt.Errorf("I5: %s: %w", m.name, err)
		}
		for r, err := range b.Records() {
			if err != nil {
				return fmt.Errorf("I5: %s: %v: %w", m.name, b, err)
			}
			there[b.BaseOffset()+int64(r.OffsetDelta)] = true
		}
	}
	for len(m.entries) > 0 && m.entries[len(m.entries)-1].last >= end {
		m.entries = m.entries[:len(m.entries)-1]
	}
	m.start = start
	if m.end() != end {
		return fmt.Errorf("I5: %s: the log ends at %d, its last batch at %d", m.name, end, m.end())
	}
	return m.checkReplaced(there)
}

// checkReplaced is anomaly 20: what lacks has a newer record of its key, is a
// tombstone, a marker, or of an aborted transaction. Such a record replaces
// nothing.
func (m *logModel) checkReplaced(there map[int64]bool) error {
	newer := map[string]bool{}
	spans := m.spans()
	for i := len(m.entries) - 1; i >= 0; i-- {
		e := &m.entries[i]
		if e.last < m.start {
			break
		}
		void := e.batch.IsControl() || spanOf(spans, e.batch, e.base).outcome == aborted
		var records []record.Record
		for r, err := range e.batch.Records() {
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		for j := len(records) - 1; j >= 0; j-- {
			r := records[j]
			offset, key := e.base+int64(r.OffsetDelta), string(r.Key)
			replaced := void || newer[key] || r.Value == nil
			if !there[offset] && offset >= m.start && (offset >= m.cleaned || !replaced) {
				return fmt.Errorf("anomaly 20: %s: the record at %d with key %q lacks, cleaned to %d", m.name, offset, key, m.cleaned)
			}
			if offset < m.cleaned && !void {
				newer[key] = true
			}
		}
	}
	return nil
}

// checkRest compares a batch of a compacted log with what was appended there:
// some of its records, and what the producers' state is made of.
func (e *appended) checkRest(b record.Batch) error {
	switch {
	case b.BaseOffset() != e.base || b.LastOffset() != e.last:
		return fmt.Errorf("%v, appended at %d to %d", b, e.base, e.last)
	case b.LeaderEpoch() != e.epoch:
		return fmt.Errorf("leader epoch %d, appended in %d", b.LeaderEpoch(), e.epoch)
	case b.ProducerID() != e.batch.ProducerID() || b.ProducerEpoch() != e.batch.ProducerEpoch() || b.BaseSequence() != e.batch.BaseSequence():
		return fmt.Errorf("%v has another producer than what was appended, %v", b, e.batch)
	}
	was := map[int32]record.Record{}
	for r, err := range e.batch.Records() {
		if err != nil {
			return err
		}
		was[r.OffsetDelta] = r
	}
	for r, err := range b.Records() {
		if err != nil {
			return err
		}
		o, ok := was[r.OffsetDelta]
		if !ok || o.Timestamp != r.Timestamp || !bytes.Equal(o.Key, r.Key) || !bytes.Equal(o.Value, r.Value) || (o.Value == nil) != (r.Value == nil) {
			return fmt.Errorf("record %d of %v differs from what was appended", r.OffsetDelta, b)
		}
	}
	return nil
}
