package cleaner

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/record"
)

// model knows every record that was appended, and what became of it.
type model struct {
	*bench
	t        *rapid.T
	records  map[int64]string // by offset: "key=value", "key", "=value"
	writer   map[int64]int64  // producer of a transactional record, by its offset
	sequence map[int64]int32
	seenBy   map[int64]time.Time // when a run first came past a tombstone
}

const retention = time.Hour

func (m *model) add() {
	b := batch{
		codec:    record.Codec(rapid.IntRange(0, 4).Draw(m.t, "codec")),
		producer: int64(rapid.IntRange(0, 3).Draw(m.t, "producer")),
	}
	if b.producer > 0 {
		_, open := m.first[b.producer]
		b.txn = open || rapid.Bool().Draw(m.t, "transactional")
		b.sequence = m.sequence[b.producer]
	}
	for i := range rapid.IntRange(1, 5).Draw(m.t, "records") {
		key := fmt.Sprintf("k%d", rapid.IntRange(0, 8).Draw(m.t, "key"))
		text := fmt.Sprintf("%s=%d", key, m.log.End()+int64(i))
		switch rapid.IntRange(0, 9).Draw(m.t, "kind") {
		case 0:
			text = fmt.Sprintf("=%d", m.log.End()+int64(i))
		case 1, 2:
			text = key
		}
		b.records = append(b.records, text)
	}
	base := m.append(m.t, b)
	m.sequence[b.producer] += int32(len(b.records))
	for i, text := range b.records {
		m.records[base+int64(i)] = text
		if b.txn {
			m.writer[base+int64(i)] = b.producer
		}
	}
}

func (m *model) finish() {
	for id := range int64(4) {
		if _, open := m.first[id]; open {
			m.end(m.t, id, rapid.Bool().Draw(m.t, "commit"))
			return
		}
	}
}

// isAborted tells the records of aborted transactions.
func (m *model) isAborted(offset int64) bool {
	for _, a := range m.aborted {
		if m.writer[offset] == a.ProducerID && offset >= a.FirstOffset && offset < a.LastOffset {
			return true
		}
	}
	return false
}

func keyOf(text string) (key string, hasValue bool) {
	for i := range len(text) {
		if text[i] == '=' {
			return text[:i], true
		}
	}
	return text, false
}

// check holds the log against all that was ever appended.
func (m *model) check() {
	newest := map[string]int64{}        // of what is not aborted
	newestCleaned := map[string]int64{} // below where the cleaner has come to
	for offset := range m.log.End() {
		text, ok := m.records[offset]
		if !ok || m.isAborted(offset) {
			continue
		}
		key, _ := keyOf(text)
		newest[key] = offset
		if offset < m.cleaned {
			newestCleaned[key] = offset
		}
	}
	there := map[int64]bool{}
	lasts := map[int64]int64{}
	next := int64(0)
	for b, err := range m.log.Batches(0, m.log.End()) {
		must(m.t, err)
		must(m.t, b.CheckStored())
		if b.BaseOffset() < next {
			m.t.Fatalf("%v follows %d", b, next-1)
		}
		next = b.LastOffset() + 1
		if !b.IsControl() {
			lasts[b.ProducerID()] = b.LastOffset()
		}
		for r, err := range b.Records() {
			must(m.t, err)
			if b.IsControl() {
				continue
			}
			offset := b.BaseOffset() + int64(r.OffsetDelta)
			text := string(r.Key)
			if r.Value != nil {
				text += "=" + string(r.Value)
			}
			if text != m.records[offset] {
				m.t.Fatalf("%d holds %q, was %q", offset, text, m.records[offset])
			}
			there[offset] = true
		}
	}
	if next != m.log.End() {
		m.t.Fatalf("the last batch ends at %d, the log at %d", next, m.log.End())
	}
	for id, last := range m.last {
		if got := lasts[id]; got != last.LastOffset {
			m.t.Fatalf("the last batch of producer %d ends at %d, want %d", id, got, last.LastOffset)
		}
	}
	m.checkRecords(newest, newestCleaned, there)
}

func (m *model) checkRecords(newest, newestCleaned map[string]int64, there map[int64]bool) {
	for offset, text := range m.records {
		key, hasValue := keyOf(text)
		switch {
		case m.isAborted(offset):
			if offset < m.cleaned && there[offset] {
				m.t.Fatalf("%d %q was aborted and is there", offset, text)
			}
		case key == "" || hasValue && newest[key] == offset || offset >= m.cleaned:
			if !there[offset] {
				m.t.Fatalf("%d %q is gone, cleaned to %d", offset, text, m.cleaned)
			}
		case newestCleaned[key] != offset:
			if there[offset] {
				m.t.Fatalf("%d %q is there, %d replaces it, cleaned to %d", offset, text, newestCleaned[key], m.cleaned)
			}
		case !hasValue:
			seen, ok := m.seenBy[offset]
			if !there[offset] && (!ok || m.now.Before(seen.Add(retention))) {
				m.t.Fatalf("tombstone %d %q is gone, first seen %v", offset, text, seen)
			}
		}
	}
}

// Compaction of any log leaves what a map of its keys would hold.
func TestCompactionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			bench: newBench(t, commitlog.Config{SegmentBytes: int64(rapid.SampledFrom([]int{300, 1000, 5000}).Draw(t, "segment"))}),
			t:     t, records: map[int64]string{}, writer: map[int64]int64{}, sequence: map[int64]int32{}, seenBy: map[int64]time.Time{},
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			default:
				m.add()
			case 5, 6:
				m.finish()
			case 7:
				must(t, m.log.Roll())
				m.now = m.now.Add(20 * time.Minute)
			case 8:
				m.clean(t, retention)
				for offset := range m.cleaned {
					if _, ok := m.seenBy[offset]; !ok {
						m.seenBy[offset] = m.now
					}
				}
				m.check()
			case 9:
				m.reopen(t, rapid.Bool().Draw(t, "in order"))
				m.check()
			}
		}
	})
}
