package commitlog

import (
	"fmt"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// OffsetForTime returns the first record whose timestamp is not below ts, in
// milliseconds, with its own timestamp; false where there is none.
func (l *Log) OffsetForTime(ts int64) (Stamp, bool, error) {
	return l.lookup(func(segments []*segment) (Stamp, bool, error) { return l.offsetForTime(segments, ts) })
}

// lookup asks again where a segment was removed meanwhile.
func (l *Log) lookup(ask func([]*segment) (Stamp, bool, error)) (Stamp, bool, error) {
	for {
		segments := l.segments.Load()
		at, ok, err := ask(*segments)
		if !l.moved(segments, err) {
			return at, ok, err
		}
	}
}

func (l *Log) offsetForTime(segments []*segment, ts int64) (Stamp, bool, error) {
	start := l.start.Load()
	for _, s := range segments {
		largest, err := s.largestStamp()
		if err != nil {
			return Stamp{}, false, err
		}
		if largest.Timestamp < ts {
			continue
		}
		at, ok, err := s.findTime(ts, start)
		if ok || err != nil {
			return at, ok, err
		}
	}
	return Stamp{}, false, nil
}

// MaxTimestamp returns the record with the largest timestamp, the first of
// several; false in a log without timestamps (KIP-734).
func (l *Log) MaxTimestamp() (Stamp, bool, error) { return l.lookup(l.maxTimestamp) }

func (l *Log) maxTimestamp(segments []*segment) (Stamp, bool, error) {
	best, found := noStamp, (*segment)(nil)
	for _, s := range segments {
		largest, err := s.largestStamp()
		if err != nil {
			return Stamp{}, false, err
		}
		if largest.Timestamp > best.Timestamp {
			best, found = largest, s
		}
	}
	if found == nil {
		return Stamp{}, false, nil
	}
	return found.findTime(best.Timestamp, l.start.Load())
}

// findTime looks for the first record at or after ts, from start on.
func (s *segment) findTime(ts, start int64) (Stamp, bool, error) {
	f, err := s.log.Acquire()
	if err != nil {
		return Stamp{}, false, err
	}
	defer s.log.Release()
	from, err := s.timeFloor(ts, start)
	if err != nil {
		return Stamp{}, false, err
	}
	w := newWalk(f, from, s.size.Load())
	defer w.done()
	for {
		header, position, err := w.next()
		if err != nil {
			return Stamp{}, false, s.corrupt(position, start, err)
		}
		if header == nil {
			return Stamp{}, false, nil
		}
		if header.MaxTimestamp() < ts || header.LastOffset() < start {
			continue
		}
		at, ok, err := timeInBatch(f, position, header.Size(), ts, start)
		if ok || err != nil {
			return at, ok, err
		}
	}
}

// timeFloor returns a position before which no timestamp reaches ts.
func (s *segment) timeFloor(ts, start int64) (int64, error) {
	after := func(e timeEntry) bool { return e.timestamp >= ts }
	entry, ok, err := timeEntry{}, false, error(nil)
	if mem := s.mem.Load(); mem != nil {
		entry, ok = floorOf(s, mem.times.view(), mem.loadedTimes, after)
	} else if entry, ok, err = coldSearch(s, &s.timeFile, timeSuffix, timeEntrySize, fileTimes, after); err != nil {
		return 0, err
	}
	offset := start
	if ok {
		offset = max(offset, s.base+int64(entry.offset))
	}
	return s.indexFloor(offset)
}

// timeInBatch looks into one batch. With log append time all its records have
// the batch's timestamp.
func timeInBatch(f vfs.File, position int64, size int, ts, start int64) (Stamp, bool, error) {
	b := make(record.Batch, size)
	if n, err := f.ReadAt(b, position); n < size {
		return Stamp{}, false, fmt.Errorf("%s: position %d: read %d of %d bytes: %w", f.Name(), position, n, size, err)
	}
	for r, err := range b.Records() {
		if err != nil {
			return Stamp{}, false, fmt.Errorf("%s: position %d: %w", f.Name(), position, err)
		}
		if offset := b.BaseOffset() + int64(r.OffsetDelta); r.Timestamp >= ts && offset >= start {
			return Stamp{r.Timestamp, offset}, true, nil
		}
	}
	return Stamp{}, false, nil
}

// TimeOf returns a timestamp of the batch that holds an offset, or of the one
// behind it if compaction has removed that: its largest for the last record of
// a batch, its first for the others. Only the header is read.
func (l *Log) TimeOf(offset int64) (int64, error) {
	r, err := l.Read(offset, l.end.Load(), 0, true)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	file, position, size := r.Section()
	if size < record.HeaderSize {
		return 0, fmt.Errorf("%w: %d", ErrOffsetOutOfRange, offset)
	}
	header := make(record.Batch, record.HeaderSize)
	if n, err := file.ReadAt(header, position); n < len(header) {
		return 0, fmt.Errorf("%s: position %d: read %d of %d bytes: %w", file.Name(), position, n, len(header), err)
	}
	if offset == header.LastOffset() {
		return header.MaxTimestamp(), nil
	}
	return header.BaseTimestamp(), nil
}
