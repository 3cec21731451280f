package datadir

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/mutant"
)

const (
	// ownGroup is how many dirty partitions are flushed each on its own.
	// Measured there: 1.5 times a common cycle.
	ownGroup = 8
	// maxWorkers is how many syncs run side by side.
	maxWorkers = 16
)

// Flusher is the group commit of a data directory.
//
// An entry is in one of these states:
//
//	         Dirty          Begin             End
//	idle  ----------> queued -----> flushing -----> idle
//	                    ^              | Dirty
//	                    |     End      v
//	                    +---------- flushingDirty
type Flusher struct {
	dir *Dir
	// whole syncs the filesystem, where that is the directory's own.
	whole wholeSync

	mu      sync.Mutex
	queue   []*Entry
	cycle   bool  // a common cycle is under way
	err     error // the failure that took the directory offline
	running bool  // Run is there to own workers
	workers int
	idle    *sync.Cond // workers reached 0
}

// wholeSync is what a filesystem offers beyond vfs.FS.
type wholeSync interface {
	SyncAll(dir string) error
	OwnFilesystem(dir string) bool
}

type flushState uint8

const (
	idle flushState = iota
	queued
	flushing
	flushingDirty
)

func newFlusher(d *Dir) *Flusher {
	f := &Flusher{dir: d}
	f.idle = sync.NewCond(&f.mu)
	return f
}

// useWholeSync finds out whether the filesystem can be synced as a whole:
// only where nobody else's data lives on it, or they would wait for it too.
func (f *Flusher) useWholeSync() {
	if whole, ok := f.dir.fs.(wholeSync); ok && whole.OwnFilesystem(f.dir.root) {
		f.whole = whole
	}
}

// dirty queues an entry and sees to it that someone flushes it.
func (f *Flusher) dirty(e *Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case e.removed || f.err != nil || e.state == queued || e.state == flushingDirty:
		return
	case e.state == flushing:
		e.state = flushingDirty
		return
	}
	e.state = queued
	f.queue = append(f.queue, e)
	f.staff(1)
}

// staff starts up to n workers for what is queued. A sync starts at once, on
// the goroutine made for it: waiting for a dispatcher would add a switch to
// every ack.
func (f *Flusher) staff(n int) {
	if !f.running || f.cycle {
		return
	}
	for n = min(n, len(f.queue), maxWorkers-f.workers); n > 0; n-- {
		f.workers++
		go f.work()
	}
}

// work flushes until nothing is left.
func (f *Flusher) work() {
	for {
		flush, ok := f.Begin()
		if !ok {
			break
		}
		flush.End(f.timed(flush.Sync))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.workers--
	if f.workers == 0 {
		f.idle.Broadcast()
	}
	f.staff(1) // What came between the last Begin and here.
}

// timed tells how long a sync has taken.
func (f *Flusher) timed(sync func() error) error {
	if f.dir.options.Flushed == nil {
		return sync()
	}
	began := time.Now()
	err := sync()
	f.dir.options.Flushed(time.Since(began))
	return err
}

// Group is a flush under way: of one partition, or of all in a cycle.
type Group struct {
	flusher *Flusher
	entries []*Entry
	flushes []commitlog.Flush
	cycle   bool
}

// Begin captures what is to be flushed next: one partition, or with more than
// eight of them and a filesystem that can sync as a whole, all. It reports
// false when there is nothing, or when a cycle is under way that the rest has
// to wait for. Every Begin needs an End.
func (f *Flusher) Begin() (*Group, bool) {
	f.mu.Lock()
	if f.cycle || len(f.queue) == 0 {
		f.mu.Unlock()
		return nil, false
	}
	g := &Group{flusher: f}
	n := 1
	if f.whole != nil && len(f.queue) > ownGroup {
		n, f.cycle, g.cycle = len(f.queue), true, true
	}
	g.entries = slices.Clone(f.queue[:n])
	f.queue = slices.Delete(f.queue, 0, n)
	for _, e := range g.entries {
		e.state = flushing
	}
	f.mu.Unlock()
	for _, e := range g.entries {
		g.flushes = append(g.flushes, e.partition.Capture())
	}
	return g, true
}

// Sync makes the group durable. It holds no lock.
func (g *Group) Sync() error {
	if g.cycle {
		return g.flusher.whole.SyncAll(g.flusher.dir.root)
	}
	return g.flushes[0].Sync()
}

// End ends the group with the outcome of its Sync.
func (g *Group) End(err error) {
	f := g.flusher
	if err == nil {
		for i, e := range g.entries {
			// A log that was closed or went offline meanwhile has told its own.
			_ = e.partition.FlushDone(g.flushes[i])
		}
	} else if !g.closedMeanwhile(err) && !mutant.On("M26") {
		f.fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.cycle {
		f.cycle = false
	}
	for _, e := range g.entries {
		again := (e.state == flushingDirty || mutant.On("M26") && err != nil) && !e.removed && f.err == nil
		e.state = idle
		if again {
			e.state = queued
			f.queue = append(f.queue, e)
		}
	}
	if g.cycle {
		f.staff(ownGroup) // Those that waited for the cycle.
	}
}

// closedMeanwhile reports whether a sync failed only because its log was
// closed: that says nothing about the disk.
func (g *Group) closedMeanwhile(err error) bool { return errors.Is(err, commitlog.ErrClosed) }

// fail takes the directory offline: no flush is tried again, since one that
// succeeds after one that failed proves nothing.
func (f *Flusher) fail(cause error) {
	f.mu.Lock()
	if f.err != nil {
		f.mu.Unlock()
		return
	}
	f.err = fmt.Errorf("%w: %s: %w", ErrOffline, path.Clean(f.dir.root), cause)
	err := f.err
	for _, e := range f.queue {
		e.state = idle
	}
	f.queue = nil
	f.mu.Unlock()
	f.dir.logger.Error("a flush has failed: the directory is offline until the next start", "error", cause)
	for _, e := range f.dir.list() {
		e.partition.FlushFailed(err)
	}
	if f.dir.options.Offline != nil {
		f.dir.options.Offline(err)
	}
}

// Err is why the directory is offline, or nil.
func (f *Flusher) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Flush flushes everything that is dirty, on the caller's goroutine.
func (f *Flusher) Flush() error {
	for {
		g, ok := f.Begin()
		if !ok {
			return f.Err()
		}
		g.End(g.Sync())
	}
}

func (f *Flusher) remove(e *Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.removed = true
	f.queue = slices.DeleteFunc(f.queue, func(q *Entry) bool { return q == e })
}

// open lets dirty entries start workers.
func (f *Flusher) open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = true
	f.staff(maxWorkers)
}

// close waits for the workers and starts no more.
func (f *Flusher) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = false
	for f.workers > 0 {
		f.idle.Wait()
	}
}
