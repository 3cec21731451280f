package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
)

// SetStart makes offset the first that can be read, if it is above the start
// (DeleteRecords, or what the leader's start says to a follower). Segments
// that lie below it are removed.
func (l *Log) SetStart(offset int64) error {
	if offset > l.End() {
		return fmt.Errorf("%w: start %d, the end is %d", ErrOffsetOutOfRange, offset, l.End())
	}
	l.raiseStart(offset)
	l.structure.Lock()
	defer l.structure.Unlock()
	_, err := l.removeBelowStart()
	return err
}

func (l *Log) raiseStart(offset int64) {
	for {
		at := l.start.Load()
		if offset <= at {
			return
		}
		if l.start.CompareAndSwap(at, offset) {
			l.epochs.truncateStart(offset)
			return
		}
	}
}

// removeBelowStart removes the segments that hold nothing to read, oldest
// first, each durably before the next: after a crash the log has no hole.
func (l *Log) removeBelowStart() (removed int, err error) {
	for {
		s, err := l.takeFirst()
		if s == nil || err != nil {
			return removed, err
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return removed, l.fail(err)
		}
		s.erase()
		l.options.Removed(s.base)
		removed++
	}
}

// takeFirst takes the first segment out of the log if it lies below the
// start. The active one stays.
func (l *Log) takeFirst() (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	segments := l.copySegments()
	if len(segments) < 2 || segments[1].base > l.start.Load() {
		return nil, nil
	}
	first := segments[0]
	l.publish(segments[1:])
	l.bytes.Add(-first.size.Load())
	l.unsynced.forget(first)
	if err := first.retire(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, l.fail(err)
	}
	return first, nil
}
