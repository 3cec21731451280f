package replica_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/vfs"
)

// snapshots lists the producer snapshots that lie beside t-0's segments.
func (w *world) snapshots(t *testing.T) []string {
	t.Helper()
	entries, err := w.fs.ReadDir("data/t-0")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".snapshot"); ok {
			names = append(names, strings.TrimLeft(name, "0"))
		}
	}
	return names
}

func TestItem40_RetryOverARestartIsADuplicate(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	for i := range int32(3) {
		mustAppend(t, p, batch(t, 7, 0, i, 1, "a"))
	}
	w.restart(t)
	p = w.lead(t, replica.Config{}, 2)
	if p.HighWatermark() != 3 {
		t.Errorf("high watermark %d: closing in order flushes", p.HighWatermark())
	}
	if r := mustAppend(t, p, batch(t, 7, 0, 1, 1, "a")); !r.Duplicate || r.BaseOffset != 1 {
		t.Errorf("retry of the second batch: %+v", r)
	}
	if _, err := p.Append(batch(t, 7, 0, 4, 1, "a"), anyEpoch); !errors.Is(err, producerstate.ErrOutOfOrderSequence) {
		t.Errorf("a gap: %v", err)
	}
}

func TestItem40_ProducersAreRebuiltFromTheLogAfterACrash(t *testing.T) {
	mem := vfs.NewMem()
	w := newWorld(mem)
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, batch(t, 7, 0, 0, 1, "a"))
	mustAppend(t, p, batch(t, 8, 0, 0, 1, "b"))
	w.flush()
	mustAppend(t, p, batch(t, 7, 0, 1, 1, "lost"))
	w.fs = mem.Crash(nil)
	w.boot()
	p = w.lead(t, replica.Config{}, 2)
	if r := mustAppend(t, p, batch(t, 8, 0, 0, 1, "b")); !r.Duplicate {
		t.Errorf("a retry of what was flushed: %+v", r)
	}
	// What was not acked is gone, and its producer sends it again.
	if r := mustAppend(t, p, batch(t, 7, 0, 1, 1, "lost")); r.Duplicate || r.BaseOffset != 2 {
		t.Errorf("a retry of what was lost: %+v", r)
	}
}

// Each segment has a snapshot of the state where it begins, also when one
// drain goes over its border, and it goes when the segment does.
func TestItem40_SnapshotOfEachSegment(t *testing.T) {
	one := len(batch(t, 7, 0, 0, 1, "a"))
	config := replica.Config{Log: commitlog.Config{SegmentBytes: int64(3 * one)}}
	w := newWorld(vfs.NewMem())
	p := w.lead(t, config, 1)
	for i := range int32(8) {
		mustAppend(t, p, batch(t, 7, 0, i, 1, "a"))
	}
	w.flush()
	if got := w.snapshots(t); !slices.Equal(got, []string{"3", "6"}) {
		t.Fatalf("snapshots at %v", got)
	}
	data, err := vfs.ReadFile(w.fs, "data/t-0/00000000000000000006.snapshot")
	if err != nil {
		t.Fatal(err)
	}
	state := producerstate.New(time.Hour)
	if err := state.LoadSnapshot(data, w.now); err != nil {
		t.Fatal(err)
	}
	if producer, ok := state.Producer(7); !ok || producer.LastSequence() != 5 {
		t.Errorf("at offset 6 the last sequence is 5; the snapshot says %d", producer.LastSequence())
	}

	w.now = start.Add(8 * 24 * time.Hour)
	config.Log.RetentionAge = 7 * 24 * time.Hour
	p.Configure(config)
	if deleted, err := p.Retain(w.now); deleted == 0 || err != nil {
		t.Fatalf("%d segments removed, %v", deleted, err)
	}
	if got := w.snapshots(t); slices.Contains(got, "3") || p.LogStart() == 0 {
		t.Errorf("after retention: snapshots at %v, log start %d", got, p.LogStart())
	}
}

func TestSnapshotsOfEarlierStopsAreRemoved(t *testing.T) {
	w := newWorld(vfs.NewMem())
	for i := range int32(4) {
		p := w.lead(t, replica.Config{}, i+1)
		mustAppend(t, p, batch(t, 7, 0, i, 1, "a"))
		w.flush()
		w.restart(t)
	}
	w.lead(t, replica.Config{}, 9)
	if got := w.snapshots(t); !slices.Equal(got, []string{"4"}) {
		t.Errorf("snapshots at %v", got)
	}
}

// A snapshot that does not hold costs a longer read, not the state.
func TestDamagedSnapshotIsNotBelieved(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, batch(t, 7, 0, 0, 1, "a"))
	mustAppend(t, p, batch(t, 7, 0, 1, 1, "a"))
	w.restart(t)
	name := "data/t-0/00000000000000000002.snapshot"
	data, err := vfs.ReadFile(w.fs, name)
	if err != nil {
		t.Fatal(err)
	}
	data[20] ^= 1
	if err := vfs.WriteFile(w.fs, name, data); err != nil {
		t.Fatal(err)
	}
	p = w.lead(t, replica.Config{}, 2)
	if r := mustAppend(t, p, batch(t, 7, 0, 1, 1, "a")); !r.Duplicate {
		t.Errorf("retry: %+v", r)
	}
}

// The log has lost what a snapshot speaks of: the producer's next batch must
// not pass for a retry.
func TestSnapshotBeyondTheLogIsRemoved(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	for i := range int32(4) {
		mustAppend(t, p, batch(t, 7, 0, i, 1, "a"))
	}
	w.restart(t)
	file, err := w.fs.OpenFile("data/t-0/00000000000000000000.log", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(int64(2 * len(batch(t, 7, 0, 0, 1, "a")))); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	w.places = map[string]replica.Place{}
	p = w.lead(t, replica.Config{}, 2)
	if r := mustAppend(t, p, batch(t, 7, 0, 2, 1, "a")); r.Duplicate || r.BaseOffset != 2 {
		t.Errorf("the third batch again: %+v, snapshots at %v", r, w.snapshots(t))
	}
}

func TestRetentionWakesFetches(t *testing.T) {
	one := int64(len(plain(t, 1)))
	config := replica.Config{Log: commitlog.Config{SegmentBytes: one, RetentionBytes: one}}
	w := newWorld(vfs.NewMem())
	p := w.lead(t, config, 1)
	for range 3 {
		mustAppend(t, p, plain(t, 1))
	}
	if deleted, _ := p.Retain(w.now); deleted != 0 {
		t.Errorf("%d segments removed above the high watermark", deleted)
	}
	w.flush()
	seen, err := p.Read(read(3))
	if err != nil {
		t.Fatal(err)
	}
	waiter, woken, _ := waits(1, func(w *wait.Waiter) { p.AwaitBytes(w, seen) })
	if deleted, err := p.Retain(w.now); deleted != 2 || err != nil {
		t.Fatalf("%d segments removed, %v", deleted, err)
	}
	waiter.End()
	if *woken != 1 {
		t.Error("a fetch does not learn that the log start has moved")
	}
	if _, err := p.Read(read(0)); !errors.Is(err, replica.ErrOffsetOutOfRange) {
		t.Errorf("read below the log start: %v", err)
	}
}
