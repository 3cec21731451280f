package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
)

// TruncateTo removes everything from an offset on. A batch that holds the
// offset in its middle goes whole. The truncation is durable when it returns:
// a follower must not fetch on before (spec: KIP-101 truncates by leader
// epoch, and the leader counts on what the next fetch reports).
//
// A recovery point beyond the offset must be lowered first, or a crash in
// between looks like the loss of synced data. TruncateTo is the writer's, as
// Append is.
func (l *Log) TruncateTo(offset int64) error {
	if offset < l.Start() {
		return fmt.Errorf("%w: truncation to %d, the start is %d", ErrOffsetOutOfRange, offset, l.Start())
	}
	if offset >= l.End() {
		return nil
	}
	for {
		more, err := l.truncateStep(offset)
		if err != nil {
			return err
		}
		if err := l.syncAfterCut(); err != nil {
			return err
		}
		if !more {
			return l.epochs.save(l.fs, l.dir)
		}
	}
}

// truncateStep removes one segment, newest first, or cuts the one that holds
// the offset. Each step is durable before the next: a crash leaves a prefix.
func (l *Log) truncateStep(offset int64) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	if l.Segments() > 1 && l.active().base >= offset {
		if err := l.dropLast(); err != nil {
			return false, l.fail(err)
		}
		return true, nil
	}
	if err := l.cutTo(offset); err != nil {
		return false, l.fail(err)
	}
	return false, nil
}

// syncAfterCut makes a step of a truncation durable.
func (l *Log) syncAfterCut() error {
	active := l.active()
	f, err := active.log.Acquire()
	if err != nil {
		return l.fail(err)
	}
	defer active.log.Release()
	if err := f.Sync(); err != nil {
		return l.fail(err)
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return l.fail(err)
	}
	return nil
}

// cutTo makes offset the log's end, without a sync.
func (l *Log) cutTo(offset int64) error {
	for l.Segments() > 1 && l.active().base > offset {
		if err := l.dropLast(); err != nil {
			return err
		}
	}
	return l.cut(l.active(), offset)
}

// dropLast removes the active segment; the one before takes its place.
func (l *Log) dropLast() error {
	segments := l.copySegments()
	last, rest := segments[len(segments)-1], segments[:len(segments)-1]
	if err := l.thaw(rest[len(rest)-1]); err != nil {
		return err
	}
	l.lowerEnd(last.base)
	l.publish(rest)
	l.bytes.Add(-last.size.Load())
	l.unsynced.forget(last)
	l.unsynced.named()
	if err := last.retire(); err != nil {
		return err
	}
	last.erase()
	l.options.Removed(last.base)
	return nil
}

// lowerEnd moves the end back, and what counts as flushed with it.
func (l *Log) lowerEnd(end int64) {
	l.unsynced.mu.Lock()
	l.unsynced.truncations++
	l.end.Store(min(l.end.Load(), end))
	// A batch that holds the start in its middle may go whole.
	l.start.Store(min(l.start.Load(), end))
	l.flushed.Store(min(l.flushed.Load(), end))
	l.unsynced.mu.Unlock()
	l.epochs.truncateEnd(end)
}

// cut truncates a segment, the last one, to the batches below an offset. A
// reader may still hold the old segment, so a new one takes its place.
func (l *Log) cut(s *segment, offset int64) error {
	size, end := s.size.Load(), l.end.Load()
	if offset < end {
		var err error
		if size, end, err = s.positionOf(offset); err != nil {
			return err
		}
	}
	if err := s.truncateFile(size); err != nil {
		return err
	}
	if size == s.size.Load() {
		return nil
	}
	shorter, err := s.shortened(size, end)
	if err != nil {
		return err
	}
	l.lowerEnd(end)
	l.bytes.Add(size - s.size.Load())
	segments := l.copySegments()
	segments[len(segments)-1] = shorter
	l.unsynced.replace(s, shorter)
	l.publish(segments)
	return nil
}

func (s *segment) truncateFile(size int64) error {
	f, err := s.log.Acquire()
	if err != nil {
		return err
	}
	defer s.log.Release()
	return f.Truncate(size)
}

// positionOf returns where the first batch begins that reaches up to offset
// or beyond, and its base offset.
func (s *segment) positionOf(offset int64) (position, base int64, err error) {
	f, err := s.log.Acquire()
	if err != nil {
		return 0, 0, err
	}
	defer s.log.Release()
	from, err := s.indexFloor(offset)
	if err != nil {
		return 0, 0, err
	}
	w := newWalk(f, from, s.size.Load())
	defer w.done()
	for {
		header, position, err := w.next()
		switch {
		case err != nil:
			return 0, 0, s.corrupt(position, offset, err)
		case header == nil:
			return position, offset, nil
		case header.LastOffset() >= offset:
			return position, min(offset, header.BaseOffset()), nil
		}
	}
}

// shortened returns the segment as it is after a cut to size.
func (s *segment) shortened(size, end int64) (*segment, error) {
	n := &segment{fsys: s.fsys, files: s.files, base: s.base, path: s.path, log: s.log, largest: noStamp, first: -1}
	n.size.Store(size)
	mem := newMemIndex()
	for _, e := range s.mem.Load().offsets.view() {
		if int64(e.position) < size {
			mem.offsets.append(e)
		}
	}
	for _, e := range s.mem.Load().times.view() {
		if s.base+int64(e.offset) < end {
			mem.times.append(e)
		}
	}
	n.mem.Store(mem)
	_, err := n.resume()
	return n, err
}

// resume prepares a segment whose index is in memory for appends: it goes
// over what lies behind the last index entry. It returns the offset that
// follows the last batch.
func (s *segment) resume() (next int64, err error) {
	f, err := s.log.Acquire()
	if err != nil {
		return 0, err
	}
	defer s.log.Release()
	mem := s.mem.Load()
	from := int64(0)
	if list := mem.offsets.view(); len(list) > 0 {
		from = int64(list[len(list)-1].position)
	}
	largest := noStamp
	if list := mem.times.view(); len(list) > 0 {
		last := list[len(list)-1]
		largest = Stamp{last.timestamp, s.base + int64(last.offset)}
	}
	s.begin(largest)
	if s.first, err = s.firstTimestamp(); err != nil {
		return 0, err
	}
	next = s.base
	w := newWalk(f, from, s.size.Load())
	defer w.done()
	for {
		header, position, err := w.next()
		if err != nil {
			return 0, s.corrupt(position, next, err)
		}
		if header == nil {
			return next, nil
		}
		if header.BaseOffset() < next {
			return 0, s.corrupt(position, next, fmt.Errorf("%w: %v", errIndex, header))
		}
		s.note(header, position, maxRelative)
		next = header.LastOffset() + 1
	}
}

// firstTimestamp returns the timestamp of the first batch, -1 without one.
func (s *segment) firstTimestamp() (int64, error) {
	f, err := s.log.Acquire()
	if err != nil {
		return 0, err
	}
	defer s.log.Release()
	w := newWalk(f, 0, s.size.Load())
	defer w.done()
	header, position, err := w.next()
	if err != nil {
		return 0, s.corrupt(position, s.base, err)
	}
	if header == nil {
		return -1, nil
	}
	return header.MaxTimestamp(), nil
}

// thaw prepares a segment for appends again.
func (l *Log) thaw(s *segment) error {
	if s.mem.Load() != nil {
		return nil
	}
	err := s.loadIndex()
	if err != nil {
		err = s.rebuild(l.config.Load().IndexInterval)
	}
	if err != nil {
		return err
	}
	_, err = s.resume()
	return err
}

// rebuild makes the index anew from the headers of the batches.
func (s *segment) rebuild(interval int) error {
	f, err := s.log.Acquire()
	if err != nil {
		return err
	}
	defer s.log.Release()
	built := &segment{base: s.base, largest: noStamp, first: -1}
	built.mem.Store(newMemIndex())
	w := newWalk(f, 0, s.size.Load())
	defer w.done()
	for {
		header, position, err := w.next()
		if err != nil {
			return s.corrupt(position, s.base, err)
		}
		if header == nil {
			break
		}
		built.note(header, position, interval)
	}
	built.mem.Load().addTime(built.timeEntry(built.largest))
	s.mu.Lock()
	s.largest, s.largestKnown = built.largest, true
	s.mu.Unlock()
	s.mem.Store(built.mem.Load())
	return s.writeIndex()
}

// Reset removes everything and begins anew at start: a follower whose log
// ends below the leader's start, or a log whose contents a snapshot replaced.
func (l *Log) Reset(start int64) error {
	for {
		more, err := l.resetStep(start)
		if err != nil {
			return err
		}
		if err := l.syncAfterCut(); err != nil {
			return err
		}
		if !more {
			l.epochs.clear()
			return l.epochs.save(l.fs, l.dir)
		}
	}
}

func (l *Log) resetStep(start int64) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	if l.Segments() > 1 {
		return true, l.failOn(l.dropLast())
	}
	active := l.active()
	if err := l.cut(active, active.base); err != nil {
		return false, l.fail(err)
	}
	if active = l.active(); active.base != start {
		if err := l.replaceEmpty(active, start); err != nil {
			return false, l.fail(err)
		}
	}
	l.lowerEnd(start)
	l.start.Store(start)
	l.end.Store(start)
	l.flushed.Store(start)
	return false, nil
}

func (l *Log) failOn(err error) error {
	if err == nil {
		return nil
	}
	return l.fail(err)
}

// SetStart makes offset the first that can be read, if it is above the start
// (DeleteRecords, or what the leader's start says to a follower). Segments
// that lie below it are removed.
func (l *Log) SetStart(offset int64) error {
	if offset > l.End() {
		return fmt.Errorf("%w: start %d, the end is %d", ErrOffsetOutOfRange, offset, l.End())
	}
	l.raiseStart(offset)
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
