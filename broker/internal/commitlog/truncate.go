package commitlog

import "fmt"

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
	l.structure.Lock()
	defer l.structure.Unlock()
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

// Reset removes everything and begins anew at start: a follower whose log
// ends below the leader's start, or a log whose contents a snapshot replaced.
func (l *Log) Reset(start int64) error {
	l.structure.Lock()
	defer l.structure.Unlock()
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
