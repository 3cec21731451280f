package commitlog

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Readers, a flusher and retention beside the writer: every read gives whole
// valid batches in order, below the limit it named.
func TestReadersBesideTheWriter(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, Config{SegmentBytes: 20_000, IndexInterval: 500, RetentionBytes: 100_000},
		OpenOptions{Files: vfs.NewFileCache(m, 4)})
	var stop atomic.Bool
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			offset := int64(0)
			for !stop.Load() {
				offset = readOn(t, l, offset)
			}
		})
	}
	others.Go(func() {
		for !stop.Load() {
			must(t, l.Flush())
			if _, err := l.Retain(epochZero, l.Flushed()); err != nil {
				t.Error(err)
			}
			if _, err := l.Checkpoint(); err != nil {
				t.Error(err)
			}
			if _, _, err := l.OffsetForTime(1500); err != nil && !errors.Is(err, ErrOffsetOutOfRange) {
				t.Error(err)
			}
		}
	})
	b := newBatch(0, 0, 2, 1000, string(make([]byte, 300)))
	for range 3000 {
		b.Stamp(l.End(), 0)
		must(t, l.Append([]record.Batch{b}, epochZero))
	}
	stop.Store(true)
	others.Wait()
	if l.Start() == 0 {
		t.Error("retention removed nothing: the test shows nothing")
	}
	must(t, l.Close())
}

// readOn reads from an offset, checks what comes, and returns the next.
func readOn(t *testing.T, l *Log, offset int64) int64 {
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
	for len(rest) > 0 {
		var b record.Batch
		if b, rest, err = record.Next(rest); err != nil || b.CheckStored() != nil {
			t.Errorf("offset %d: %v, %v", offset, err, b.CheckStored())
			return offset
		}
		if b.BaseOffset() != offset && b.BaseOffset() != offset-1 || b.BaseOffset() >= limit {
			t.Errorf("batch at %d, asked for %d below %d", b.BaseOffset(), offset, limit)
		}
		offset = b.LastOffset() + 1
	}
	return offset
}
