package replica_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestAcksAllWaitForTheFlush(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	r := mustAppend(t, p, plain(t, 3))
	if r.BaseOffset != 0 || r.LastOffset != 2 || r.LogAppendTime != -1 || p.LogEnd() != 3 {
		t.Errorf("appended at %+v, log end %d", r, p.LogEnd())
	}
	waiter, woken, armed := waits(0, func(w *wait.Waiter) { p.Await(w, r) })
	if !armed || p.HighWatermark() != 0 || len(contents(t, p)) != 0 {
		t.Fatalf("before the flush: waits %v, high watermark %d", armed, p.HighWatermark())
	}
	w.flush()
	waiter.End()
	if *woken != 1 || waiter.Err(0) != nil || p.HighWatermark() != 3 {
		t.Errorf("after the flush: woken %d times (%v), high watermark %d", *woken, waiter.Err(0), p.HighWatermark())
	}
	got := contents(t, p)
	if len(got) != 1 || got[0].LeaderEpoch() != 1 || got[0].LastOffset() != 2 {
		t.Errorf("read %v", got)
	}
}

func TestFlushCoversOnlyWhatWasAppendedBeforeIt(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 2))
	f := p.Capture()
	mustAppend(t, p, plain(t, 2)) // while the disk works
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := p.FlushDone(f); err != nil {
		t.Fatal(err)
	}
	if p.HighWatermark() != 2 {
		t.Errorf("high watermark %d: the second batch was not synced", p.HighWatermark())
	}
}

func TestPagecacheAcksTheAppend(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{PageCache: true}, 1)
	r := mustAppend(t, p, plain(t, 1))
	if _, _, armed := waits(0, func(w *wait.Waiter) { p.Await(w, r) }); armed || w.flush() {
		t.Error("durability=pagecache waits for no flush and asks for none")
	}
	p.Configure(replica.Config{})
	r = mustAppend(t, p, plain(t, 1))
	if p.HighWatermark() != 1 {
		t.Errorf("durable from here on, and the high watermark is %d", p.HighWatermark())
	}
	w.flush()
	if p.HighWatermark() != r.LastOffset+1 {
		t.Errorf("high watermark %d after the flush", p.HighWatermark())
	}
}

func TestItem34_DuplicateWaitsLikeItsOriginal(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	first := mustAppend(t, p, batch(t, 7, 0, 0, 2, "a"))
	again := mustAppend(t, p, batch(t, 7, 0, 0, 2, "a"))
	if !again.Duplicate || again.BaseOffset != first.BaseOffset || again.LastOffset != first.LastOffset {
		t.Fatalf("the retry got %+v, the original %+v", again, first)
	}
	waiter, woken, armed := waits(0, func(w *wait.Waiter) { p.Await(w, again) })
	if !armed {
		t.Fatal("the retry is acked before its records are durable")
	}
	w.flush()
	waiter.End()
	if *woken != 1 || len(contents(t, p)) != 1 {
		t.Errorf("woken %d times, %d batches in the log", *woken, len(contents(t, p)))
	}
	if _, err := p.Append(batch(t, 7, 0, 4, 2, "c"), anyEpoch); !errors.Is(err, producerstate.ErrOutOfOrderSequence) {
		t.Errorf("after a gap: %v", err)
	}
}

func TestLogAppendTime(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{AppendTime: true}, 1)
	w.now = start.Add(time.Hour)
	r := mustAppend(t, p, batch(t, 7, 0, 0, 2, "a"))
	w.now = start.Add(2 * time.Hour)
	again := mustAppend(t, p, batch(t, 7, 0, 0, 2, "a"))
	w.flush()
	want := start.Add(time.Hour).UnixMilli()
	if r.LogAppendTime != want || again.LogAppendTime != want {
		t.Errorf("append time %d, of the duplicate %d, want %d", r.LogAppendTime, again.LogAppendTime, want)
	}
	if b := contents(t, p)[0]; !b.LogAppendTime() || b.MaxTimestamp() != want {
		t.Errorf("stored with timestamp %d", b.MaxTimestamp())
	}
}

func TestWhatMayNotBeAppended(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{MaxMessageBytes: 200, Log: commitlog.Config{SegmentBytes: 300}}, 5)
	var control record.Builder
	control.SetControl(true)
	control.Append(record.Record{Value: []byte("marker")})
	marker, _ := control.Build()
	var transactional record.Builder
	transactional.SetTransactional(true)
	transactional.SetProducer(7, 0, 0)
	transactional.Append(record.Record{})
	inTxn, _ := transactional.Build()
	large := batch(t, -1, -1, -1, 1, string(make([]byte, 150)))

	for _, row := range []struct {
		name string
		b    record.Batch
		r    replica.AppendRequest
		want error
	}{
		{"B9/above max.message.bytes", large, anyEpoch, replica.ErrMessageTooLarge},
		{"older leader epoch", plain(t, 1), replica.AppendRequest{LeaderEpoch: 4}, replica.ErrFencedEpoch},
		{"newer leader epoch", plain(t, 1), replica.AppendRequest{LeaderEpoch: 6}, replica.ErrUnknownEpoch},
		{"B6, item 19: control batch of a client", marker, anyEpoch, replica.ErrInvalidRecord},
		{"B14: no transaction was begun", inTxn, anyEpoch, replica.ErrInvalidTxnState},
		{"item 20: producer without a sequence", batch(t, 7, 0, -1, 1, "v"), anyEpoch, replica.ErrInvalidRecord},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := p.Append(slices.Clone(row.b), row.r); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
		})
	}
	if p.LogEnd() != 0 {
		t.Errorf("log end %d: something was appended", p.LogEnd())
	}
	if _, err := p.Append(slices.Clone(marker), replica.AppendRequest{LeaderEpoch: 5, Internal: true}); err != nil {
		t.Errorf("the broker's own marker: %v", err)
	}
	p.Configure(replica.Config{Log: commitlog.Config{SegmentBytes: 100}})
	if _, err := p.Append(large, anyEpoch); !errors.Is(err, replica.ErrSegmentTooSmall) {
		t.Errorf("larger than a segment: %v", err)
	}
}

// The whole drain fails with its write, and leaves neither records nor
// sequences behind: the retry is new, not a duplicate.
func TestFailedWriteIsUndone(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	w := newWorld(disk)
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, batch(t, 7, 0, 0, 1, "a"))
	disk.Add(vfs.Rule{Op: vfs.OpWrite, Match: "*.log", At: 1, Short: 20})
	if _, err := p.Append(batch(t, 7, 0, 1, 1, "b"), anyEpoch); !errors.Is(err, replica.ErrStorage) {
		t.Fatalf("append on a full disk: %v", err)
	}
	if r := mustAppend(t, p, batch(t, 7, 0, 1, 1, "b")); r.Duplicate || r.BaseOffset != 1 {
		t.Errorf("the retry: %+v", r)
	}
	w.flush()
	if got := contents(t, p); len(got) != 2 {
		t.Errorf("%d batches in the log", len(got))
	}
}

func TestD10_Item106_FailedFlushEndsThePartition(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	w := newWorld(disk)
	p := w.lead(t, replica.Config{}, 1)
	mustAppend(t, p, plain(t, 1))
	w.flush()
	r := mustAppend(t, p, plain(t, 1))
	waiter, woken, _ := waits(0, func(w *wait.Waiter) { p.Await(w, r) })
	disk.Add(vfs.Rule{Op: vfs.OpSync, Match: "*.log", At: 1})
	w.flush()
	waiter.End()
	if *woken != 1 || !errors.Is(waiter.Err(0), replica.ErrStorage) {
		t.Errorf("who waited for the flush: woken %d times, %v", *woken, waiter.Err(0))
	}
	if _, err := p.Append(plain(t, 1), anyEpoch); !errors.Is(err, replica.ErrStorage) {
		t.Errorf("append afterwards: %v", err)
	}
	if got := contents(t, p); len(got) != 1 {
		t.Errorf("%d batches are read, one was flushed", len(got))
	}
	if err := w.set.Close(); err == nil {
		t.Error("the directory would be marked as clean")
	}
}

func TestLostLeadershipFailsWhoWaits(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{}, 1)
	r := mustAppend(t, p, plain(t, 1))
	produce, woken, _ := waits(0, func(w *wait.Waiter) { p.Await(w, r) })
	seen, err := p.Read(read(0))
	if err != nil {
		t.Fatal(err)
	}
	_, fetchWoken, _ := waits(1, func(w *wait.Waiter) { p.AwaitBytes(w, seen) })
	p.Assign(leads(2, 2))
	produce.End()
	if *woken != 1 || !errors.Is(produce.Err(0), replica.ErrNotLeader) || *fetchWoken != 1 {
		t.Errorf("produce woken %d times (%v), fetch %d times", *woken, produce.Err(0), *fetchWoken)
	}
	if _, err := p.Append(plain(t, 1), anyEpoch); !errors.Is(err, replica.ErrNotLeader) {
		t.Errorf("append to a follower: %v", err)
	}
	if _, err := p.Read(read(0)); !errors.Is(err, replica.ErrNotLeader) {
		t.Errorf("read from a follower: %v", err)
	}
	w.flush()
	if p.HighWatermark() != 0 {
		t.Errorf("a follower raised the high watermark to %d", p.HighWatermark())
	}
	// The same records, but another epoch: the old wait is not for them.
	p.Assign(leads(1, 3))
	w.flush()
	late, _, armed := waits(0, func(w *wait.Waiter) { p.Await(w, r) })
	late.End()
	if armed || late.Err(0) == nil {
		t.Errorf("an ack of epoch 1 is decided under epoch 3: %v", late.Err(0))
	}
}
