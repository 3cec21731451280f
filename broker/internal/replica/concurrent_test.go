package replica_test

import (
	"context"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/vfs"
)

// gate is a disk that counts the writes to logs and can hold them up.
type gate struct {
	vfs.FS
	writes atomic.Int64
	hold   atomic.Pointer[chan struct{}]
}

type gatedFile struct {
	vfs.File
	gate *gate
}

func (g *gate) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := g.FS.OpenFile(name, flag, perm)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return f, err
	}
	return &gatedFile{f, g}, nil
}

func (f *gatedFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	f.gate.writes.Add(1)
	if hold := f.gate.hold.Load(); hold != nil {
		<-*hold
	}
	return f.File.WriteVec(bufs, off)
}

// What arrives while one batch is being written goes out in the next write,
// all of it.
func TestAppendsShareWrites(t *testing.T) {
	const producers = 64
	disk := &gate{FS: vfs.NewMem()}
	w := newWorld(disk)
	p := w.lead(t, replica.Config{}, 1)
	hold := make(chan struct{})
	disk.hold.Store(&hold)
	var group sync.WaitGroup
	results := make([]replica.AppendResult, producers)
	send := func(i int) {
		group.Go(func() { results[i] = mustAppend(t, p, batch(t, int64(i), 0, 0, 1, "v")) })
	}
	send(0)
	until(t, func() bool { return disk.writes.Load() == 1 })
	for i := 1; i < producers; i++ {
		send(i)
	}
	until(t, func() bool { return p.Queued() == producers-1 })
	disk.hold.Store(nil)
	close(hold)
	group.Wait()
	if writes := disk.writes.Load(); writes != 2 {
		t.Errorf("%d writes for %d batches", writes, producers)
	}
	taken := map[int64]bool{}
	for _, r := range results {
		taken[r.BaseOffset] = true
	}
	if len(taken) != producers || p.LogEnd() != producers {
		t.Errorf("%d different offsets, log end %d", len(taken), p.LogEnd())
	}
}

// until yields until something is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("does not come")
		}
	}
}

// Producers with several batches in flight, retries, consumers, a flusher and
// config changes at once: every producer's batches stand in the log once and
// in order.
func TestConcurrentProducersAndConsumers(t *testing.T) {
	const producers, rounds = 32, 40
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{Log: commitlog.Config{SegmentBytes: 4 << 10}}, 1)
	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	background.Go(func() {
		for ctx.Err() == nil {
			if !w.flush() {
				runtime.Gosched()
			}
		}
	})
	background.Go(func() {
		for epoch := int32(2); ctx.Err() == nil; epoch++ {
			_, _ = p.Retain(start)
			p.Configure(replica.Config{Log: commitlog.Config{SegmentBytes: 4<<10 + int64(epoch)}})
			runtime.Gosched()
		}
	})
	background.Go(func() { // a consumer that follows the high watermark
		woken := make(chan struct{}, 1)
		waiter := wait.New(func() { woken <- struct{}{} })
		for offset := int64(0); offset < producers*rounds; {
			r, err := p.Read(read(offset))
			if err != nil {
				t.Error(err)
				return
			}
			if r.Range.Size() > 0 {
				r.Range.Release()
				offset = r.HighWatermark
				continue
			}
			waiter.Begin(1)
			p.AwaitBytes(waiter, r)
			if waiter.Arm() {
				<-woken // a lost wake would hang here
			}
			waiter.End()
		}
	})
	var group sync.WaitGroup
	for id := range int64(producers) {
		group.Go(func() {
			woken := make(chan struct{}, 1)
			waiter := wait.New(func() { woken <- struct{}{} })
			for i := range int32(rounds) {
				waiter.Begin(0)
				p.Await(waiter, mustAppend(t, p, batch(t, id, 0, i, 1, "v")))
				if i%3 == 0 { // the same again, as after a lost reply
					if r := mustAppend(t, p, batch(t, id, 0, i, 1, "v")); !r.Duplicate {
						t.Errorf("producer %d: retry of %d: %+v", id, i, r)
					}
				}
				if waiter.Arm() {
					<-woken
				}
				waiter.End()
				if err := waiter.Err(0); err != nil {
					t.Errorf("producer %d: %v", id, err)
				}
			}
		})
	}
	group.Wait()
	stop()
	background.Wait()
	next := map[int64]int32{}
	for _, b := range contents(t, p) {
		if b.BaseSequence() != next[b.ProducerID()] {
			t.Fatalf("producer %d: sequence %d after %d", b.ProducerID(), b.BaseSequence(), next[b.ProducerID()]-1)
		}
		next[b.ProducerID()]++
	}
	if p.HighWatermark() != producers*rounds || len(next) != producers {
		t.Errorf("high watermark %d, %d producers", p.HighWatermark(), len(next))
	}
}
