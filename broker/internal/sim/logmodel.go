package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/internal/record"
)

// logModel is what one partition may and must hold.
type logModel struct {
	name    string
	entries []appended
	// start is where the log begins since retention removed what was before.
	// A crash may bring that back.
	start int64
	// kept is the offset below which nothing may ever vanish but by retention:
	// it was acknowledged with acks=all, or lay below a high watermark.
	kept int64
	why  string // of kept
	// volatile logs follow the page cache: a loss of power may take anything
	// that was not flushed, acknowledged or not.
	volatile bool
	// compacted logs may lack what newer records have replaced, below cleaned.
	compacted bool
	cleaned   int64
}

// appended is a batch that was handed to the log, in the order in which that
// happened. The last may be one of which nobody knows whether it was written.
type appended struct {
	base  int64
	last  int64
	epoch int32
	batch record.Batch // as the producer sent it
}

func (m *logModel) end() int64 {
	if len(m.entries) == 0 {
		return m.start
	}
	return m.entries[len(m.entries)-1].last + 1
}

// append notes a batch that is about to be appended at the end. undo takes it
// back: the append has failed and left nothing.
func (m *logModel) append(b record.Batch, epoch int32) {
	base := m.end()
	m.entries = append(m.entries, appended{base, base + int64(b.LastOffsetDelta()), epoch, b})
}

func (m *logModel) undo() { m.entries = m.entries[:len(m.entries)-1] }

// keep notes that everything below an offset has to last.
func (m *logModel) keep(offset int64, why string) error {
	if offset > m.end() {
		return fmt.Errorf("I7: %s: %s at %d, but only %d was appended", m.name, why, offset, m.end())
	}
	if offset > m.kept {
		m.kept, m.why = offset, why
	}
	return nil
}

// at returns the entry that holds an offset.
func (m *logModel) at(offset int64) *appended {
	lo, hi := 0, len(m.entries)
	for lo < hi {
		if mid := (lo + hi) / 2; m.entries[mid].last < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(m.entries) || m.entries[lo].base > offset {
		return nil
	}
	return &m.entries[lo]
}

// retained notes where the log begins after retention.
func (m *logModel) retained(start, hw int64) error {
	if start < m.start || start > hw {
		return fmt.Errorf("I2: %s: retention moved the start from %d to %d, under a high watermark of %d", m.name, m.start, start, hw)
	}
	m.start = start
	return nil
}

// recovered holds a log that was read from its start to its end against the
// model, and makes the model what it is.
func (m *logModel) recovered(batches []record.Batch, start, end int64) error {
	if start > m.start {
		return fmt.Errorf("I2: %s: the log begins at %d, retention had come to %d", m.name, start, m.start)
	}
	if m.compacted {
		return m.recoveredCompacted(batches, start, end)
	}
	first, _ := slices.BinarySearchFunc(m.entries, start, func(e appended, start int64) int { return cmp.Compare(e.base, start) })
	for i, b := range batches {
		if first+i >= len(m.entries) {
			return fmt.Errorf("I5: %s: %v was never appended: the log has %d batches, the model %d", m.name, b, len(batches), len(m.entries)-first)
		}
		if err := m.entries[first+i].check(b); err != nil {
			return fmt.Errorf("I5: %s: batch %d: %w", m.name, i, err)
		}
	}
	m.entries = m.entries[:first+len(batches)]
	m.start = start
	if m.end() != end {
		return fmt.Errorf("I5: %s: the log ends at %d, its last batch at %d", m.name, end, m.end())
	}
	return nil
}

// lasts checks that nothing is gone that had to last.
func (m *logModel) lasts(powerLoss bool) error {
	if m.volatile && powerLoss {
		m.kept = min(m.kept, m.end())
	}
	if m.end() < m.kept {
		return fmt.Errorf("I2: %s: the log ends at %d, what was %s below %d is lost", m.name, m.end(), m.why, m.kept)
	}
	return nil
}

// check compares a batch of the log with what was appended there.
func (e *appended) check(b record.Batch) error {
	switch {
	case b.BaseOffset() != e.base:
		return fmt.Errorf("base offset %d, appended at %d", b.BaseOffset(), e.base)
	case b.LeaderEpoch() != e.epoch:
		return fmt.Errorf("leader epoch %d, appended in %d", b.LeaderEpoch(), e.epoch)
	case !bytes.Equal(content(b), content(e.batch)):
		return fmt.Errorf("%v differs from what was appended, %v", b, e.batch)
	}
	return nil
}

// content is what the leader does not stamp: all from the magic on.
func content(b record.Batch) []byte { return b[16:] }
