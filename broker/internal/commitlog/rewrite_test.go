package commitlog

import (
	"errors"

	"path"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// rewrite replaces some segments below the recovery point, now and then with a
// disk that fails in the middle of it.
func (m *crashModel) rewrite() {
	spans := m.log.Spans()
	n := 0
	for n < len(spans) && spans[n].End <= m.recovery {
		n++
	}
	if n == 0 {
		return
	}
	first := m.rng.IntN(n)
	last := first + m.rng.IntN(min(n-first, 3))
	r, err := m.log.Rewrite(spans[first].Base, spans[last].Base+1)
	m.check(err)
	m.rewrittenTo = max(m.rewrittenTo, spans[last].End)
	defer r.Discard()
	kept := map[int64]bool{}
	var end record.Batch
	for b, err := range r.Batches() {
		m.check(err)
		end = slices.Clone(b)
		if m.rng.IntN(2) == 0 {
			kept[b.BaseOffset()] = true
			m.check(r.Keep(b))
		}
	}
	after := m.afterRewrite(spans[first].Base, spans[last].End, kept, end)
	if m.rng.IntN(2) == 0 {
		op := []vfs.Op{vfs.OpSync, vfs.OpSyncDir, vfs.OpRename, vfs.OpWrite, vfs.OpOpen}[m.rng.IntN(5)]
		m.fault.Add(vfs.Rule{Op: op, At: 1 + m.rng.IntN(5)})
	}
	err = r.Commit()
	m.fault.Clear()
	switch {
	case err == nil:
		m.batches, m.rewritten = after, true
		m.compare()
	case m.log.Err() == nil: // Nothing was decided.
		m.compare()
	default:
		m.replaced = after
		if m.rng.IntN(2) == 0 {
			m.kill()
		} else {
			m.crash()
		}
	}
}

// afterRewrite is what the model holds once a rewrite counts.
func (m *crashModel) afterRewrite(from, to int64, kept map[int64]bool, end record.Batch) (after []record.Batch) {
	for _, b := range m.batches {
		switch {
		case b.BaseOffset() < from || b.BaseOffset() >= to || kept[b.BaseOffset()]:
			after = append(after, b)
		case b.BaseOffset() == end.BaseOffset():
			var w record.Rewriter
			w.Begin(b)
			empty, err := w.Finish()
			m.check(err)
			after = append(after, slices.Clone(empty))
		}
	}
	return after
}

// settleRewrite finds out, from the log, whether a rewrite was decided.
func (m *crashModel) settleRewrite() {
	if m.replaced == nil {
		return
	}
	there := map[string]bool{}
	for b, err := range m.log.Batches(m.log.Start(), m.log.End()) {
		m.check(err)
		there[string(b)] = true
	}
	holds := func(batches []record.Batch) bool {
		for _, b := range batches {
			if b.LastOffset() >= m.log.Start() && b.LastOffset() < m.flushed && !there[string(b)] {
				return false
			}
		}
		return true
	}
	if !holds(m.batches) {
		if !holds(m.replaced) {
			m.t.Fatalf("seed %d: the log is neither what it was nor what it was to be", m.seed)
		}
		m.batches, m.rewritten = m.replaced, true
	}
	m.replaced = nil
}

// rewriteAll keeps every other batch of the closed segments.
func rewriteAll(t testing.TB, l *Log) error {
	spans := l.Spans()
	if len(spans) == 0 {
		return nil
	}
	r, err := l.Rewrite(spans[0].Base, spans[len(spans)-1].Base+1)
	if err != nil {
		return err
	}
	defer r.Discard()
	i := 0
	for b, err := range r.Batches() {
		if err != nil {
			return err
		}
		if i++; i%2 == 0 {
			must(t, r.Keep(b))
		}
	}
	return r.Commit()
}

// Reads, lookups, retention and the writer go on while segments are replaced,
// also those that began before.
func TestReadersBesideARewrite(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, Config{SegmentBytes: 5000, IndexInterval: 500}, OpenOptions{Files: vfs.NewFileCache(m, 3)})
	var stop atomic.Bool
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for offset := int64(0); !stop.Load(); {
				offset = readSparse(t, l, offset)
			}
		})
	}
	others.Go(func() {
		for ts := int64(0); !stop.Load(); ts++ {
			if at, ok, err := l.OffsetForTime(ts % 1000); err != nil || ok && at.Timestamp < ts%1000 {
				t.Errorf("lookup of %d: %+v, %v", ts%1000, at, err)
			}
			if _, _, err := l.MaxTimestamp(); err != nil {
				t.Error(err)
			}
		}
	})
	rewrites := 0
	others.Go(func() {
		for ; !stop.Load(); rewrites++ {
			must(t, l.Flush())
			if err := rewriteAll(t, l); err != nil && !errors.Is(err, ErrReplaced) {
				t.Error(err)
			}
			if _, err := l.Checkpoint(); err != nil {
				t.Error(err)
			}
			if rewrites%10 == 9 {
				must(t, l.SetStart(l.End()/2))
			}
		}
	})
	for i := range int64(3000) {
		b := newBatch(l.End(), 0, 1, i, string(make([]byte, 300)))
		must(t, l.Append([]record.Batch{b}, epochZero))
	}
	stop.Store(true)
	others.Wait()
	if rewrites < 3 {
		t.Logf("only %d rewrites", rewrites)
	}
	var size int64
	for _, s := range *l.segments.Load() {
		size += s.size.Load()
	}
	if size != l.Size() {
		t.Errorf("the segments hold %d bytes, the log says %d", size, l.Size())
	}
	must(t, l.Close())
	l = mustOpen(t, m, Config{}, OpenOptions{Clean: true, RecoveryPoint: l.End(), LogStart: l.Start()})
	if l.End() != 3000 {
		t.Errorf("the log ends at %d", l.End())
	}
}

// readSparse reads from an offset on in a log of which batches are missing.
func readSparse(t *testing.T, l *Log, offset int64) int64 {
	limit := l.End()
	r, err := l.Read(offset, limit, 8000, true)
	if errors.Is(err, ErrOffsetOutOfRange) {
		return l.Start()
	}
	if err != nil {
		t.Error(err)
		return offset
	}
	defer r.Release()
	rest, err := r.AppendTo(nil)
	if err != nil {
		t.Error(err)
	}
	if len(rest) == 0 {
		return l.Start()
	}
	for len(rest) > 0 {
		var b record.Batch
		if b, rest, err = record.Next(rest); err != nil || b.CheckStored() != nil || b.LastOffset() < offset || b.BaseOffset() >= limit {
			t.Errorf("asked for %d below %d: %v, %v", offset, limit, b, err)
			return offset
		}
		offset = b.LastOffset() + 1
	}
	return offset
}

// A Range that was read before a swap still gives the old bytes.
func TestRangeOutlivesARewrite(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, Config{}, OpenOptions{Files: vfs.NewFileCache(m, 1)})
	appendN(t, l, 4, 10)
	must(t, l.Roll())
	r, err := l.Read(0, 4, 1<<20, true)
	must(t, err)
	before, err := r.AppendTo(nil)
	must(t, err)
	must(t, rewriteAll(t, l))
	after, err := r.AppendTo(nil)
	must(t, err)
	if string(before) != string(after) {
		t.Error("the range changed under its reader")
	}
	r.Release()
	if got := names(t, m); !slices.Equal(got, []string{
		"00000000000000000000.index", "00000000000000000000.log", "00000000000000000000.timeindex", "00000000000000000004.log",
	}) {
		t.Errorf("left are %v", got)
	}
}

// What a rewrite leaves when the disk is full, or its log is gone meanwhile, is
// the log as it was.
func TestRewriteThatCannotBe(t *testing.T) {
	disk := newDisk(t)
	m := vfs.NewFault(disk)
	l := mustOpen(t, m, Config{}, OpenOptions{})
	appendN(t, l, 4, 1000)
	must(t, l.Roll())
	must(t, l.Flush())
	want := dump(t, l)
	m.LimitSpace(500)
	if err := rewriteAll(t, l); !vfs.IsNoSpace(err) {
		t.Errorf("on a full disk: %v", err)
	}
	m.LimitSpace(-1)
	if got := dump(t, l); got != want || l.Err() != nil {
		t.Errorf("after a full disk: %v\n%s", l.Err(), got)
	}
	r, err := l.Rewrite(0, 4)
	must(t, err)
	for b := range r.Batches() {
		must(t, r.Keep(b))
	}
	must(t, l.TruncateTo(3))
	if err := r.Commit(); !errors.Is(err, ErrReplaced) {
		t.Errorf("after a truncation: %v", err)
	}
	if l.End() != 3 {
		t.Errorf("the log ends at %d", l.End())
	}
	for _, name := range names(t, m) {
		if path.Ext(name) == cleanedSuffix || path.Ext(name) == swapSuffix {
			t.Errorf("%s is left", name)
		}
	}
}

// The index of aborted transactions goes with the segments, as long as their
// markers are there.
func TestRewriteJoinsTxnIndexes(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, Config{}, OpenOptions{})
	var want []AbortedTxn
	for range 3 {
		appendN(t, l, 1, 10)
		txn := AbortedTxn{ProducerID: 7, FirstOffset: l.End() - 1, LastOffset: l.End(), LastStable: l.End() + 1}
		marker := markerBatch(t, l.End())
		must(t, l.AppendEnding([]record.Batch{marker}, []AbortedTxn{txn}, epochZero))
		want = append(want, txn)
		must(t, l.Roll())
	}
	check := func(when string) {
		t.Helper()
		if got, err := l.Aborted(nil, 0, l.End()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", when, got, err, want)
		}
	}
	check("as appended")
	must(t, rewriteAll(t, l))
	check("rewritten")
	r, err := l.Rewrite(0, 1)
	must(t, err)
	for b, err := range r.Batches() {
		must(t, err)
		if b.BaseOffset() != want[1].LastOffset {
			must(t, r.Keep(b))
		}
	}
	must(t, r.Commit())
	want = slices.Delete(want, 1, 2)
	check("a marker has gone")
	must(t, l.Close())
	l = mustOpen(t, m, Config{}, OpenOptions{Clean: true, RecoveryPoint: l.End()})
	check("opened again")
	if got := names(t, m); slices.Contains(got, "00000000000000000002.txnindex") {
		t.Errorf("an index is left of a segment that is gone: %v", got)
	}
}

// markerBatch is a control batch of one record.
func markerBatch(t *testing.T, base int64) record.Batch {
	t.Helper()
	var bl record.Builder
	bl.SetControl(true)
	bl.SetTransactional(true)
	bl.SetProducer(7, 0, -1)
	bl.Append(record.Record{Timestamp: 1000, Key: make([]byte, 4), Value: make([]byte, 6)})
	b, err := bl.Build()
	must(t, err)
	b.Stamp(base, 0)
	return b
}
