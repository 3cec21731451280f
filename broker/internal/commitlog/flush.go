package commitlog

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/millrace-io/millrace/internal/mutant"
)

// unsynced is what was changed since the last flush. The writer adds to it,
// Capture and FlushDone come from the flusher: it has a lock of its own, held
// for moments.
type unsynced struct {
	mu sync.Mutex
	// segments hold data that no sync has covered yet, oldest first. Their
	// files stay open: a file closed before its sync could lose the error of
	// a writeback in between.
	segments []unsyncedSegment
	// names counts changes of the directory's entries, namesDone how many of
	// them are durable.
	names, namesDone int
	// parent says that the directory's own name is not durable yet.
	parent bool
	// truncations counts cuts of what may have been captured before.
	truncations int
	// attempts counts the flushes tried.
	attempts int
}

type unsyncedSegment struct {
	*segment
	writes int // counts writes, so that a flush knows whether it covered all
	pinned bool
}

// touch marks a segment as written to. It comes after the write and before
// the log's end moves: so a capture that sees the new end syncs the segment,
// and one that has the segment without the new end covers its data all the
// same.
func (u *unsynced) touch(s *segment, pagecache bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := len(u.segments); n > 0 && u.segments[n-1].segment == s {
		u.segments[n-1].writes++ // A capture has a copy of the count.
		return
	}
	entry := unsyncedSegment{segment: s, writes: 1}
	if !pagecache {
		_, err := s.log.Acquire()
		entry.pinned = err == nil // It is open: the writer has it.
	}
	u.segments = append(u.segments, entry)
}

// named notes that a name in the directory was made or removed.
func (u *unsynced) named() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.names++
}

// replace notes that a cut has put a shorter segment in an older one's place:
// what is left of it is no more synced than before.
func (u *unsynced) replace(old, shorter *segment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.segments {
		if u.segments[i].segment == old {
			u.segments[i].segment = shorter
			u.segments[i].writes++
		}
	}
}

// forget drops a segment that is being removed.
func (u *unsynced) forget(s *segment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, entry := range u.segments {
		if entry.segment == s {
			entry.unpin()
			u.segments = slices.Concat(u.segments[:i], u.segments[i+1:])
			return
		}
	}
}

func (e unsyncedSegment) unpin() {
	if e.pinned {
		e.log.Release()
	}
}

// Flush is one flush of a log: what was appended before its Capture. Its Sync
// may run beside appends and beside the capture of later ones, but flushes of
// one log do not overlap.
type Flush struct {
	log      *Log
	end      int64
	segments []unsyncedSegment
	names    int // changes of names at the capture
	newNames bool
	parent   bool
	cuts     int // truncations at the capture
	// skip is for a planted bug.
	skip bool
}

// Capture begins a flush: it notes the log's end and every file that holds
// data below it, also the segments that were rolled since the last flush, and
// the new names in the directory.
func (l *Log) Capture() Flush {
	l.unsynced.mu.Lock()
	defer l.unsynced.mu.Unlock()
	u := &l.unsynced
	u.attempts++
	return Flush{
		log: l, end: l.end.Load(), segments: slices.Clone(u.segments),
		names: u.names, newNames: u.names > u.namesDone, parent: u.parent, cuts: u.truncations,
		skip: mutant.On("M23") && u.attempts%3 == 0,
	}
}

// End is the offset up to which the flush makes the log durable.
func (f Flush) End() int64 { return f.end }

// Sync carries the flush out. It holds no lock. An error takes the log
// offline for good: the kernel may have dropped the pages, so that a later
// sync would succeed and prove nothing.
func (f Flush) Sync() error {
	if f.skip {
		return nil
	}
	err := f.sync()
	if err == nil || mutant.On("M26") {
		return err
	}
	if closed := f.log.usable(); errors.Is(closed, ErrClosed) {
		return closed // Its files went away meanwhile, which says nothing about the disk.
	}
	return f.log.fail(err)
}

func (f Flush) sync() error {
	for i, s := range f.segments {
		if mutant.On("M25") && i < len(f.segments)-1 {
			continue
		}
		if err := f.syncSegment(s.segment); err != nil {
			return err
		}
	}
	if f.newNames && !mutant.On("M27") {
		if err := f.log.fs.SyncDir(f.log.dir); err != nil {
			return err
		}
	}
	if f.parent {
		return f.log.fs.SyncDir(path.Dir(f.log.dir))
	}
	return nil
}

func (f Flush) syncSegment(s *segment) error {
	file, err := s.log.Acquire()
	if errors.Is(err, fs.ErrClosed) && f.log.usable() == nil {
		return nil // The segment was removed since: nothing of it has to last.
	}
	if err != nil {
		return err
	}
	defer s.log.Release()
	return file.Sync()
}

// FlushDone ends a flush whose Sync has succeeded: Flushed moves on. With a
// sync of the whole filesystem in place of Sync it is called the same way.
func (l *Log) FlushDone(f Flush) error {
	if err := l.usable(); err != nil {
		return err
	}
	end := f.end
	if mutant.On("M24") {
		end = l.end.Load()
	}
	u := &l.unsynced
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.truncations != f.cuts {
		// The log was cut since the capture: what lies below the captured end
		// may be other data by now.
		return nil
	}
	u.covered(f)
	l.flushed.Store(max(l.flushed.Load(), end))
	return nil
}

// covered drops what a flush has made durable. A segment that was written to
// since stays for the next one.
func (u *unsynced) covered(f Flush) {
	kept := u.segments[:0:0]
	for _, s := range u.segments {
		if f.covers(s) {
			s.unpin()
			continue
		}
		kept = append(kept, s)
	}
	u.segments = kept
	u.namesDone = max(u.namesDone, f.names)
	if f.parent {
		u.parent = false
	}
}

func (f Flush) covers(s unsyncedSegment) bool {
	for _, captured := range f.segments {
		if captured.segment == s.segment {
			return captured.writes == s.writes
		}
	}
	return false
}

// Flush makes everything appended so far durable: the three calls in one, for
// whoever has no flusher.
func (l *Log) Flush() error {
	f := l.Capture()
	if err := f.Sync(); err != nil {
		return err
	}
	return l.FlushDone(f)
}
