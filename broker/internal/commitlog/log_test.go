package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestAppendAndRead(t *testing.T) {
	l := mustOpen(t, newDisk(t), Config{SegmentBytes: 4096}, OpenOptions{})
	want := appendN(t, l, 200, 100)
	if l.Segments() < 5 {
		t.Fatalf("%d segments: the test does not roll", l.Segments())
	}
	if got := dump(t, l); got != lines(want) {
		t.Errorf("read\n%swant\n%s", got, lines(want))
	}
	must(t, l.Close())
	if err := l.Append(want[:1], epochZero); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

// Every offset, every limit and several sizes against what a walk over the
// batches gives.
func TestReadBounds(t *testing.T) {
	l := mustOpen(t, newDisk(t), Config{SegmentBytes: 3000, IndexInterval: 300}, OpenOptions{})
	var all []record.Batch
	for i := range 40 {
		b := newBatch(l.End(), 0, 1+i%4, 0, strings.Repeat("v", i*7%90))
		must(t, l.Append([]record.Batch{b}, epochZero))
		all = append(all, b)
	}
	for offset := int64(0); offset <= l.End(); offset++ {
		for limit := offset; limit <= l.End(); limit += 3 {
			for _, maxBytes := range []int{0, 1, 150, 700, 1 << 20} {
				for _, minOne := range []bool{false, true} {
					r, err := l.Read(offset, limit, maxBytes, minOne)
					must(t, err)
					b, err := r.AppendTo(nil)
					must(t, err)
					r.Release()
					checkRange(t, l, all, b, offset, limit, maxBytes, minOne)
				}
			}
		}
	}
	for _, offset := range []int64{-1, l.End() + 1} {
		if _, err := l.Read(offset, l.End(), 1, true); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Errorf("read at %d: %v", offset, err)
		}
	}
}

// checkRange compares a read with the rules of Read, batch by batch.
func checkRange(t *testing.T, l *Log, all []record.Batch, got []byte, offset, limit int64, maxBytes int, minOne bool) {
	t.Helper()
	first := slices.IndexFunc(all, func(b record.Batch) bool { return b.LastOffset() >= offset })
	var want []byte
	if first >= 0 {
		segment := segmentOf(*l.segments.Load(), all[first].BaseOffset())
		for _, b := range all[first:] {
			fits := len(want)+len(b) <= maxBytes || minOne && len(want) == 0
			sameSegment := len(segment) == 1 || b.BaseOffset() < segment[1].base
			if b.BaseOffset() >= limit || offset >= limit || !fits || !sameSegment {
				break
			}
			want = append(want, b...)
		}
	}
	if string(got) != string(want) {
		t.Fatalf("Read(%d, %d, %d, %v): %d bytes, want %d", offset, limit, maxBytes, minOne, len(got), len(want))
	}
}

func TestItem99_Roll(t *testing.T) {
	cases := []struct {
		name string
		cfg  Config
		next func(l *Log) record.Batch
		now  time.Duration
		want int
	}{
		{"not due", Config{}, func(l *Log) record.Batch { return newBatch(1, 0, 1, 1000, "") }, 0, 1},
		{"by bytes", Config{SegmentBytes: 150}, func(l *Log) record.Batch { return newBatch(1, 0, 1, 1000, strings.Repeat("x", 100)) }, 0, 2},
		{"by record time", Config{SegmentAge: time.Hour}, func(l *Log) record.Batch {
			return newBatch(1, 0, 1, 1000+time.Hour.Milliseconds()+1, "")
		}, 0, 2},
		{"not by the clock where there is record time", Config{SegmentAge: time.Hour}, func(l *Log) record.Batch {
			return newBatch(1, 0, 1, 1000, "")
		}, 2 * time.Hour, 1},
		{"by the clock without record time", Config{SegmentAge: time.Hour}, func(l *Log) record.Batch {
			return newBatch(1, 0, 1, -1, "")
		}, 2 * time.Hour, 2},
		{"by index", Config{MaxIndexBytes: 10}, func(l *Log) record.Batch { return newBatch(1, 0, 1, 1000, "") }, 0, 2},
		{"by relative offset", Config{}, func(l *Log) record.Batch { return newBatch(1<<31, 0, 1, 1000, "") }, 0, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := mustOpen(t, newDisk(t), c.cfg, OpenOptions{})
			must(t, l.Append([]record.Batch{newBatch(0, 0, 1, 1000, "")}, epochZero))
			must(t, l.Append([]record.Batch{c.next(l)}, epochZero.Add(c.now)))
			if l.Segments() != c.want {
				t.Errorf("%d segments, want %d", l.Segments(), c.want)
			}
		})
	}
}

// A client may claim two billion records in each compressed batch: one drain
// of them spans more than an index can address.
func TestAppendSpansSegments(t *testing.T) {
	l := mustOpen(t, newDisk(t), Config{}, OpenOptions{})
	var batches []record.Batch
	for i := range int64(3) {
		b := newBatch(i*(1<<31-1), 0, 1, 0, "")
		b[23], b[24], b[25], b[26] = 0x7f, 0xff, 0xff, 0xfe // last offset delta 2^31-2
		batches = append(batches, b)
	}
	must(t, l.Append(batches, epochZero))
	if l.End() != 3*(1<<31-1) || l.Segments() != 3 {
		t.Errorf("end %d in %d segments", l.End(), l.Segments())
	}
}

func TestAppendRefusesWhatDoesNotContinue(t *testing.T) {
	l := mustOpen(t, newDisk(t), Config{}, OpenOptions{})
	appendN(t, l, 3, 10)
	two := []record.Batch{newBatch(3, 0, 2, 0, ""), newBatch(4, 0, 1, 0, "")}
	for _, batches := range [][]record.Batch{two, {newBatch(2, 0, 1, 0, "")}} {
		if err := l.Append(batches, epochZero); !errors.Is(err, ErrNotContiguous) {
			t.Errorf("append of %v: %v", batches, err)
		}
	}
	if l.End() != 3 {
		t.Errorf("end %d, want 3", l.End())
	}
}

// D9, this package's part: what a full disk let through is cut, reads go on,
// and writes resume by themselves.
func TestD9_Item106_NoSpaceIsCutAndResumes(t *testing.T) {
	for _, room := range []int64{0, 10, 61, 150, 500, 1200, 2300} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			fault := vfs.NewFault(newDisk(t))
			l := mustOpen(t, fault, Config{SegmentBytes: 1000}, OpenOptions{})
			want := appendN(t, l, 3, 100)
			fault.LimitSpace(room)
			var drain []record.Batch
			for i := range int64(30) {
				drain = append(drain, newBatch(3+i, 1, 1, 0, strings.Repeat("z", 100)))
			}
			if err := l.Append(drain, epochZero); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("append: %v, want ENOSPC", err)
			}
			if got := dump(t, l); got != lines(want) {
				t.Errorf("after the failure\n%swant\n%s", got, lines(want))
			}
			fault.Clear()
			want = append(want, appendN(t, l, 20, 100)...)
			if got := dump(t, l); got != lines(want) {
				t.Errorf("with space again\n%swant\n%s", got, lines(want))
			}
			must(t, l.Close())
			l = mustOpen(t, fault, Config{}, OpenOptions{})
			if got := dump(t, l); got != lines(want) || l.Recovery().Cut != 0 {
				t.Errorf("after a restart, %d bytes cut\n%s", l.Recovery().Cut, got)
			}
		})
	}
}

func TestCleanRestart(t *testing.T) {
	m := newDisk(t)
	cfg := Config{SegmentBytes: 5000, IndexInterval: 500}
	l := mustOpen(t, m, cfg, OpenOptions{})
	want := appendN(t, l, 100, 100)
	l.BeginEpoch(7)
	must(t, l.Close())
	m = m.Crash(nil) // A stop in order survives a loss of power right after.
	for range 3 {
		l = mustOpen(t, m, cfg, OpenOptions{Clean: true})
		if l.Recovery().Scanned != 0 {
			t.Fatalf("a clean log was scanned: %d bytes", l.Recovery().Scanned)
		}
		if got := dump(t, l); got != lines(want) {
			t.Fatalf("read\n%swant\n%s", got, lines(want))
		}
		want = append(want, newBatch(l.End(), 7, 1, 5, "x"))
		must(t, l.Append(want[len(want)-1:], epochZero))
		if epoch, end := l.EpochEnd(0); epoch != 0 || end != 100 {
			t.Errorf("EpochEnd(0) = %d, %d; want 0, 100", epoch, end)
		}
		must(t, l.Close())
	}
}

func TestItem66_TruncateCutsEpochsToo(t *testing.T) {
	m := newDisk(t)
	cfg := Config{SegmentBytes: 1000, IndexInterval: 200}
	for offset := int64(0); offset <= 31; offset++ {
		l := mustOpen(t, m, cfg, OpenOptions{})
		for i := range int32(10) {
			must(t, l.Append([]record.Batch{newBatch(l.End(), i, 3, 1000*int64(i), strings.Repeat("v", 50))}, epochZero))
		}
		must(t, l.Flush())
		must(t, l.TruncateTo(offset))
		wantEnd := min(offset/3*3, 30)
		if l.End() != wantEnd || l.Flushed() > wantEnd {
			t.Errorf("truncated to %d: end %d, flushed %d", offset, l.End(), l.Flushed())
		}
		if got := int64(len(l.Epochs())); got != wantEnd/3 {
			t.Errorf("truncated to %d: %d epochs", offset, got)
		}
		before := dump(t, l)
		// Durable on return: a crash that drops all else changes nothing.
		l = mustOpen(t, m.Crash(nil), cfg, OpenOptions{})
		if got := dump(t, l); got != before {
			t.Errorf("after a crash\n%swant\n%s", got, before)
		}
		appendN(t, l, 5, 300)
		m = newDisk(t)
	}
}

func TestReset(t *testing.T) {
	for _, start := range []int64{0, 17, 50, 1000} {
		m := newDisk(t)
		l := mustOpen(t, m, Config{SegmentBytes: 1000}, OpenOptions{})
		appendN(t, l, 50, 100)
		must(t, l.Reset(start))
		if l.Start() != start || l.End() != start || l.Flushed() != start || l.Size() != 0 || len(l.Epochs()) != 0 {
			t.Errorf("reset to %d: %d to %d, flushed %d, size %d, epochs %v", start, l.Start(), l.End(), l.Flushed(), l.Size(), l.Epochs())
		}
		want := appendN(t, l, 20, 100)
		must(t, l.Flush())
		l = mustOpen(t, m.Crash(nil), Config{}, OpenOptions{})
		if got := dump(t, l); got != lines(want) {
			t.Errorf("reset to %d, after a crash\n%swant\n%s", start, got, lines(want))
		}
	}
}

func TestSetStartRemovesSegments(t *testing.T) {
	m := newDisk(t)
	var removed []int64
	cfg := Config{SegmentBytes: 1000}
	l := mustOpen(t, m, cfg, OpenOptions{Removed: func(base int64) { removed = append(removed, base) }})
	want := appendN(t, l, 50, 100)
	must(t, l.Flush())
	held, err := l.Read(0, l.End(), 100, true)
	must(t, err)
	must(t, l.SetStart(23))
	if _, err := held.AppendTo(nil); err != nil {
		t.Errorf("a reader lost its segment: %v", err)
	}
	held.Release()
	if _, err := l.Read(22, l.End(), 1, true); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("read below the start: %v", err)
	}
	if len(removed) == 0 || l.segmentList()[0].base > 23 || l.segmentList()[1].base <= 23 {
		t.Errorf("removed %v, the first segment is %d", removed, l.segmentList()[0].base)
	}
	if err := l.SetStart(51); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Errorf("start beyond the end: %v", err)
	}
	l = mustOpen(t, m.Crash(nil), cfg, OpenOptions{LogStart: 23})
	if got := dump(t, l); l.Start() != 23 || got != lines(want[23:]) {
		t.Errorf("after a crash start %d\n%s", l.Start(), got)
	}
}

func TestItem100_Retain(t *testing.T) {
	hour := time.Hour.Milliseconds()
	build := func(t *testing.T, cfg Config) *Log {
		cfg.SegmentBytes = 200
		l := mustOpen(t, newDisk(t), cfg, OpenOptions{})
		for i := range int64(6) { // one batch a segment, one an hour
			must(t, l.Append([]record.Batch{newBatch(i, 0, 1, i*hour, strings.Repeat("v", 100))}, epochZero))
		}
		return l
	}
	size := build(t, Config{}).Size() / 6
	cases := []struct {
		name  string
		cfg   Config
		hours int64
		hw    int64
		start int64
	}{
		{"unlimited", Config{RetentionAge: -1, RetentionBytes: -1}, 1000, 6, 0},
		{"by age", Config{RetentionAge: 2 * time.Hour}, 5, 6, 3},
		{"exactly of age", Config{RetentionAge: 2 * time.Hour}, 2, 6, 0},
		{"all, the active one too", Config{RetentionAge: time.Hour}, 100, 6, 6},
		{"only below the high watermark", Config{RetentionAge: time.Hour}, 100, 2, 2},
		{"by size", Config{RetentionBytes: 2 * size}, 0, 6, 4},
		{"compacted", Config{RetentionAge: time.Hour, RetentionBytes: 1, KeepAll: true}, 100, 6, 0},
		{"a clock that went back", Config{RetentionAge: time.Hour}, -100, 6, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := build(t, c.cfg)
			now := time.UnixMilli(c.hours * hour)
			due, ok := l.NextRetention(now)
			deleted, err := l.Retain(now, c.hw)
			must(t, err)
			if l.Start() != c.start || int64(deleted) != c.start {
				t.Errorf("start %d, %d deleted; want %d", l.Start(), deleted, c.start)
			}
			if isDue := ok && !due.After(now); isDue != (c.start > 0) {
				t.Errorf("NextRetention: due %v, ok %v at %v", due, ok, now)
			}
			appendN(t, l, 1, 10)
		})
	}
}

func TestOffsetForTime(t *testing.T) {
	for name, reopen := range map[string]bool{"hot": false, "cold": true} {
		t.Run(name, func(t *testing.T) {
			m := newDisk(t)
			cfg := Config{SegmentBytes: 2000, IndexInterval: 200}
			l := mustOpen(t, m, cfg, OpenOptions{})
			type rec struct{ ts, offset int64 }
			var all []rec
			r := rng(3)
			for i := range int64(60) {
				ts := i*100 + r.Int64N(400) // out of order by up to 400 ms
				n := 1 + r.IntN(3)
				for k := range int64(n) {
					all = append(all, rec{ts + k, l.End() + k})
				}
				must(t, l.Append([]record.Batch{newBatch(l.End(), 0, n, ts, strings.Repeat("v", 40))}, epochZero))
			}
			if reopen {
				must(t, l.Close())
				l = mustOpen(t, m, cfg, OpenOptions{Clean: true})
			}
			for ts := int64(-50); ts < 7000; ts += 7 {
				i := slices.IndexFunc(all, func(r rec) bool { return r.ts >= ts })
				got, ok, err := l.OffsetForTime(ts)
				must(t, err)
				if ok != (i >= 0) || ok && got != (Stamp{all[i].ts, all[i].offset}) {
					t.Fatalf("time %d: %v %v, want record %v", ts, got, ok, i)
				}
			}
			best := slices.MaxFunc(all, func(a, b rec) int { return compare(a.ts, b.ts) })
			if got, ok, err := l.MaxTimestamp(); err != nil || !ok || got.Timestamp != best.ts {
				t.Errorf("MaxTimestamp %v %v %v, want %v", got, ok, err, best)
			}
		})
	}
}

func TestItem65_EpochEnd(t *testing.T) {
	l := mustOpen(t, newDisk(t), Config{}, OpenOptions{LogStart: 100})
	if epoch, end := l.EpochEnd(0); epoch != -1 || end != -1 {
		t.Errorf("an empty log: %d, %d", epoch, end)
	}
	for _, e := range []int32{3, 3, 5, 9} {
		must(t, l.Append([]record.Batch{newBatch(l.End(), e, 10, 0, "")}, epochZero))
	}
	cases := []struct {
		epoch, found int32
		end          int64
	}{
		{-1, -1, -1}, {2, 2, 100}, {3, 3, 120}, {4, 3, 120}, {5, 5, 130}, {8, 5, 130}, {9, 9, 140}, {10, -1, -1},
	}
	for _, c := range cases {
		if found, end := l.EpochEnd(c.epoch); found != c.found || end != c.end {
			t.Errorf("EpochEnd(%d) = %d, %d; want %d, %d", c.epoch, found, end, c.found, c.end)
		}
	}
	must(t, l.SetStart(125))
	if got := l.Epochs(); !slices.Equal(got, []EpochStart{{5, 125}, {9, 130}}) {
		t.Errorf("after a new start: %v", got)
	}
	if got := l.EpochAt(131); got != 9 {
		t.Errorf("EpochAt(131) = %d", got)
	}
}

func TestDelete(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, Config{}, OpenOptions{})
	appendN(t, l, 5, 10)
	must(t, l.Delete())
	if _, err := m.Stat(testDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
	l = mustOpen(t, m, Config{}, OpenOptions{})
	if l.End() != 0 {
		t.Errorf("a new log of the same name ends at %d", l.End())
	}
}

func TestRolledHook(t *testing.T) {
	var rolls []int64
	l := mustOpen(t, newDisk(t), Config{SegmentBytes: 500}, OpenOptions{Rolled: func(offset int64) { rolls = append(rolls, offset) }})
	appendN(t, l, 20, 100)
	var bases []int64
	for _, s := range l.segmentList()[1:] {
		bases = append(bases, s.base)
	}
	if !slices.Equal(rolls, bases) || len(rolls) == 0 {
		t.Errorf("rolled at %v, segments begin at %v", rolls, bases)
	}
}
