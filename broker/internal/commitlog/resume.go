package commitlog

import "fmt"

// shortened returns the segment as it is after a cut to size.
func (s *segment) shortened(size, end int64) (*segment, error) {
	n := &segment{fsys: s.fsys, files: s.files, base: s.base, path: s.path, log: s.log, largest: noStamp, first: -1}
	n.size.Store(size)
	whole, mem := s.mem.Load(), newMemIndex()
	for _, e := range whole.offsets.view() {
		if int64(e.position) < size {
			mem.offsets.append(e)
		}
	}
	for _, e := range whole.times.view() {
		if s.base+int64(e.offset) < end {
			mem.times.append(e)
		}
	}
	mem.loadedOffsets, mem.loadedTimes = whole.loadedOffsets, whole.loadedTimes
	n.mem.Store(mem)
	n.aborted.list.Store(s.aborted.below(end))
	n.aborted.onDisk.Store(s.aborted.onDisk.Load())
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
	if s.mem.Load() != nil && s.aborted.list.Load() != nil {
		return nil
	}
	if s.mem.Load() == nil && s.loadIndex() != nil {
		if err := s.rebuild(l.config.Load().IndexInterval); err != nil {
			return err
		}
	}
	next, err := s.resume()
	if err != nil {
		return err
	}
	return s.loadAborted(next)
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
	closed := s.closed
	s.mu.Unlock()
	s.mem.Store(built.mem.Load())
	if closed {
		return s.closedError() // The files of its name are another segment's.
	}
	return s.writeIndex()
}
