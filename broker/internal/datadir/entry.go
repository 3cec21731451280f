package datadir

import (
	"path"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
)

// Flushable is what the flusher flushes.
type Flushable interface {
	// Capture begins a flush.
	Capture() commitlog.Flush
	// FlushDone ends one whose sync has succeeded.
	FlushDone(commitlog.Flush) error
	// FlushFailed says that the directory is offline.
	FlushFailed(error)
}

// Kept is what the checkpoints and the retention look after.
type Kept interface {
	// Dir is the path of the partition's directory.
	Dir() string
	// Checkpoint returns what a start may rely on. It syncs what that needs.
	Checkpoint() (recoveryPoint, logStart, highWatermark int64, err error)
	// Retain removes what is too old or too much.
	Retain(now time.Time) (deleted int, err error)
	// NextRetention returns when there will be something to remove.
	NextRetention(now time.Time) (due time.Time, ok bool)
}

// Partition is what a data directory keeps: a replica with its log.
type Partition interface {
	Flushable
	Kept
	Aging
	Compactable
}

// Entry is a partition in its data directory.
type Entry struct {
	dir       *Dir
	partition Partition
	name      string
	changed   atomic.Bool // since its last checkpoint

	cleaned     atomic.Int64 // where the cleaner goes on
	uncleanable atomic.Bool  // the cleaner has given up on it

	// Guarded by the directory's mu.
	flushBy time.Time // when it is looked at, while it is among the aging
	place   int       // there

	// Guarded by the flusher's mu.
	state   flushState
	removed bool
}

// Add takes a partition into the directory's care.
func (d *Dir) Add(p Partition) *Entry {
	e := &Entry{dir: d, partition: p, name: path.Base(p.Dir()), place: notAging}
	d.mu.Lock()
	d.entries[e] = struct{}{}
	if m, ok := d.marks[e.name]; ok {
		e.cleaned.Store(max(m.cleaned, 0))
	}
	d.mu.Unlock()
	e.Changed() // What its recovery has synced need not be scanned again.
	return e
}

// Dirty says that the partition has something to flush. It costs a lock and
// no allocation, and is of no effect where a flush is due already.
func (e *Entry) Dirty() {
	e.Changed()
	e.dir.Flusher.dirty(e)
}

// Changed says that the partition's checkpoint may differ from the files.
func (e *Entry) Changed() {
	if e.changed.Swap(true) {
		return
	}
	e.dir.mu.Lock()
	defer e.dir.mu.Unlock()
	e.dir.setChanged()
}

// setChanged lets Run know that there is something to write. The caller holds
// mu.
func (d *Dir) setChanged() {
	if d.changed {
		return
	}
	d.changed = true
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Remove ends the care for a partition that is closed. Its marks stay.
func (e *Entry) Remove() {
	e.dir.Flusher.remove(e)
	e.dir.mu.Lock()
	defer e.dir.mu.Unlock()
	e.dir.ageless(e)
	delete(e.dir.entries, e)
}

// Forget ends the care for a partition that is deleted, marks and all.
func (e *Entry) Forget() {
	e.Remove()
	e.dir.forget(e.name)
}

func (e *Entry) takeChanged() bool { return e.changed.Swap(false) }

func (e *Entry) mark() (m mark, err error) {
	m.cleaned = noMark.cleaned
	if at := e.cleaned.Load(); at > 0 {
		m.cleaned = at
	}
	m.recoveryPoint, m.logStart, m.highWatermark, err = e.partition.Checkpoint()
	return m, err
}
