package commitlog

import (
	"errors"
	"io"
	"io/fs"

	"github.com/millrace-io/millrace/internal/vfs"
)

// coldSearch finds the last entry of an index file that is not after what is
// looked for. An index file is a cache: one that is missing, or cannot belong
// to its log, is made anew and serves from memory.
func coldSearch[T offsetEntry | timeEntry](s *segment, slot **vfs.Handle, suffix string, entrySize int64,
	open func(vfs.File, int) entries[T], after func(T) bool,
) (entry T, ok bool, err error) {
	h, err := s.indexHandle(slot, suffix)
	if err != nil {
		return entry, false, err
	}
	f, err := h.Acquire()
	if err == nil {
		defer h.Release()
		var size int64
		if size, err = f.Size(); err == nil && size%entrySize == 0 {
			entry, ok, err = open(f, int(size/entrySize)).floor(after)
			if err == nil && (!ok || !after(entry) && s.believable(entry)) {
				return entry, ok, nil
			}
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, io.EOF) {
		return entry, false, err
	}
	if err := s.rebuild(defaultInterval); err != nil {
		return entry, false, err
	}
	return searchMem(s.mem.Load(), after)
}

// defaultInterval is used for an index made anew: the interval of the topic
// at the time of writing is not known, and any serves.
const defaultInterval = 4 << 10

func searchMem[T offsetEntry | timeEntry](mem *memIndex, after func(T) bool) (T, bool, error) {
	var list any = mem.offsets.view()
	var none T
	if _, ok := any(none).(timeEntry); ok {
		list = mem.times.view()
	}
	return sliceEntries(list.([]T)).floor(after)
}

func (s *segment) indexHandle(slot **vfs.Handle, suffix string) (*vfs.Handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, s.closedError()
	}
	if *slot == nil {
		*slot = s.files.Handle(s.path + suffix)
	}
	return *slot, nil
}

func (s *segment) closedError() error {
	return &fs.PathError{Op: "open", Path: s.path, Err: fs.ErrClosed}
}

// believable checks an index entry against the log.
func (s *segment) believable(entry any) bool {
	switch e := entry.(type) {
	case offsetEntry:
		return s.batchEnds(e)
	case timeEntry:
		return s.batchHasTime(e)
	}
	return false
}

// batchHasTime reports whether the batch that ends at the entry's offset has
// its timestamp as the largest.
func (s *segment) batchHasTime(e timeEntry) bool {
	f, err := s.log.Acquire()
	if err != nil {
		return false
	}
	defer s.log.Release()
	offset := s.base + int64(e.offset)
	_, b, err := s.seek(f, offset, s.size.Load())
	return err == nil && b.last == offset && b.maxTimestamp == e.timestamp
}

// batchEnds reports whether a batch begins at the entry's position and ends
// with its offset.
func (s *segment) batchEnds(e offsetEntry) bool {
	f, err := s.log.Acquire()
	if err != nil {
		return false
	}
	defer s.log.Release()
	if int64(e.position) >= s.size.Load() || e.position < 0 {
		return false
	}
	w := newWalk(f, int64(e.position), s.size.Load())
	defer w.done()
	header, _, err := w.next()
	return err == nil && header != nil && header.LastOffset() == s.base+int64(e.last)
}

// largestStamp returns the segment's largest timestamp. Of a segment that was
// not appended to since the start it is the last entry of the time index.
func (s *segment) largestStamp() (Stamp, error) {
	s.mu.Lock()
	largest, known := s.largest, s.largestKnown
	s.mu.Unlock()
	if known {
		return largest, nil
	}
	entry, ok, err := coldSearch(s, &s.timeFile, timeSuffix, timeEntrySize, fileTimes, func(timeEntry) bool { return false })
	if err != nil {
		return noStamp, err
	}
	largest = noStamp
	if ok {
		largest = Stamp{entry.timestamp, s.base + int64(entry.offset)}
	}
	if short, err := s.timeIndexEndsEarly(largest); err != nil {
		return noStamp, err
	} else if short {
		if err := s.rebuild(defaultInterval); err != nil {
			return noStamp, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.largestKnown {
		s.largest, s.largestKnown = largest, true
	}
	return s.largest, nil
}

// timeIndexEndsEarly looks, once for each segment, whether a larger timestamp
// than the last entry's lies behind it. With timestamps in order that is a
// look at the segment's end.
func (s *segment) timeIndexEndsEarly(last Stamp) (bool, error) {
	f, err := s.log.Acquire()
	if err != nil {
		return false, err
	}
	defer s.log.Release()
	from, err := s.indexFloor(max(last.Offset, s.base))
	if err != nil {
		return false, err
	}
	w := newWalk(f, from, s.size.Load())
	defer w.done()
	for {
		header, position, err := w.next()
		switch {
		case err != nil:
			return false, s.corrupt(position, last.Offset, err)
		case header == nil:
			return false, nil
		case header.MaxTimestamp() > last.Timestamp:
			return true, nil
		}
	}
}
