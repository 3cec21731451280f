package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"
	"slices"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Range is a run of whole batches in one file. It keeps the file open until
// Release. The zero Range is empty.
type Range struct {
	handle   *vfs.Handle
	file     vfs.File
	position int64
	size     int
	next     int64
}

// Size is how many bytes the batches take.
func (r Range) Size() int { return r.size }

// Section is where the bytes lie, for sendfile.
func (r Range) Section() (file vfs.File, position int64, size int) {
	return r.file, r.position, r.size
}

// Next is the offset behind the last batch, or a larger one where that takes no
// look into the log.
func (r Range) Next() int64 { return r.next }

// AppendTo appends the bytes to a buffer.
func (r Range) AppendTo(b []byte) ([]byte, error) {
	if r.size == 0 {
		return b, nil
	}
	n := len(b)
	b = slices.Grow(b, r.size)[:n+r.size]
	if read, err := r.file.ReadAt(b[n:], r.position); read < r.size {
		return b[:n], fmt.Errorf("%s: position %d: read %d of %d bytes: %w", r.file.Name(), r.position, read, r.size, err)
	}
	return b, nil
}

// Release lets go of the file. It is called once for each Range that Read
// returned, however often the Range was copied.
func (r Range) Release() {
	if r.handle != nil {
		r.handle.Release()
	}
}

// Read returns whole batches from the one that holds offset on, up to
// maxBytes, and only such that begin below limit. With minOne the first batch
// comes even if it is larger than maxBytes. Nothing is decoded and, on the
// active segment, nothing allocated. A Range ends with its segment: what
// follows takes another Read.
//
// An offset at the log's end, or at the limit, gives an empty Range; one
// below the start or beyond the end is ErrOffsetOutOfRange.
func (l *Log) Read(offset, limit int64, maxBytes int, minOne bool) (Range, error) {
	for {
		if offset < l.start.Load() || offset > l.end.Load() {
			return Range{}, fmt.Errorf("%w: %d, the log holds %d to %d", ErrOffsetOutOfRange, offset, l.start.Load(), l.end.Load())
		}
		if offset >= limit {
			return Range{}, nil
		}
		segments := l.segments.Load()
		r, err := l.readFrom(segmentOf(*segments, offset), offset, limit, int64(max(maxBytes, 0)), minOne)
		if l.moved(segments, err) {
			continue
		}
		return r, err
	}
}

// moved reports whether what failed has to be tried again with other segments:
// one of these was removed or replaced since.
func (l *Log) moved(segments *[]*segment, err error) bool {
	if err == nil || l.usable() != nil {
		return false
	}
	return errors.Is(err, fs.ErrClosed) || (errors.Is(err, fs.ErrNotExist) && l.segments.Load() != segments)
}

// readFrom reads from the first of the segments that has something at offset
// or behind it.
func (l *Log) readFrom(segments []*segment, offset, limit, maxBytes int64, minOne bool) (Range, error) {
	for i, s := range segments {
		r, found, err := l.readSegment(s, i == len(segments)-1, offset, limit, maxBytes, minOne)
		if r.next < 0 {
			r.next = limit
			if i+1 < len(segments) {
				r.next = min(limit, segments[i+1].base)
			}
		}
		if found || err != nil {
			return r, err
		}
	}
	return Range{}, nil
}

func (l *Log) readSegment(s *segment, last bool, offset, limit, maxBytes int64, minOne bool) (r Range, found bool, err error) {
	size := s.size.Load()
	if size == 0 {
		return Range{}, false, nil
	}
	f, err := s.log.Acquire()
	if err != nil {
		return Range{}, false, err
	}
	defer func() {
		if r.size == 0 {
			s.log.Release()
		}
	}()
	from, first, err := s.seek(f, offset, size)
	if err != nil || from == size {
		return Range{}, false, err
	}
	// All offsets of the segment are below the end, since the end is loaded
	// after the size.
	whole := last && l.end.Load() <= limit
	to, next, err := s.stop(f, from, size, limit, maxBytes, whole)
	if err != nil {
		return Range{}, false, err
	}
	if to == from && minOne && first.base < limit {
		to, next = from+first.size, first.last+1
	}
	return Range{handle: s.log, file: f, position: from, size: int(to - from), next: next}.orEmpty(), true, nil
}

func (r Range) orEmpty() Range {
	if r.size == 0 {
		return Range{}
	}
	return r
}

// found is what seek learns of a batch.
type found struct {
	base, last   int64
	size         int64
	maxTimestamp int64
}

// seek returns where the first batch begins that reaches offset or lies
// behind it; size where there is none.
func (s *segment) seek(f vfs.File, offset, size int64) (position int64, batch found, err error) {
	from, err := s.indexFloor(offset)
	if err != nil {
		return 0, found{}, err
	}
	w := newWalk(f, from, size)
	defer w.done()
	for {
		header, position, err := w.next()
		switch {
		case err != nil:
			return 0, found{}, s.corrupt(position, offset, err)
		case header == nil:
			return size, found{}, nil
		case header.LastOffset() >= offset:
			return position, found{header.BaseOffset(), header.LastOffset(), int64(header.Size()), header.MaxTimestamp()}, nil
		}
	}
}

// stop returns where a read that begins at from ends: before the first batch
// that begins at limit or reaches beyond maxBytes; and the offset that this
// batch begins with, -1 at the segment's end.
func (s *segment) stop(f vfs.File, from, size, limit, maxBytes int64, whole bool) (position, next int64, err error) {
	if whole && size-from <= maxBytes {
		return size, -1, nil
	}
	start, err := s.indexBelow(from, from+maxBytes, limit)
	if err != nil {
		return 0, 0, err
	}
	w := newWalk(f, start, size)
	defer w.done()
	for {
		header, position, err := w.next()
		switch {
		case err != nil:
			return 0, 0, s.corrupt(position, limit, err)
		case header == nil:
			return size, -1, nil
		case header.BaseOffset() >= limit || w.position-from > maxBytes:
			return position, header.BaseOffset(), nil
		}
	}
}

// indexFloor returns a position from which the batch that holds offset is at
// most an index interval away.
func (s *segment) indexFloor(offset int64) (int64, error) {
	return s.offsetFloor(func(e offsetEntry) bool { return s.base+int64(e.last) > offset })
}

// indexBelow returns a position of a batch not before from and not behind
// end, such that everything before it ends below limit.
func (s *segment) indexBelow(from, end, limit int64) (position int64, err error) {
	after := func(e offsetEntry) bool {
		return int64(e.position) > end || s.base+int64(e.last) >= limit
	}
	position, err = s.offsetFloor(after)
	return max(position, from), err
}

// offsetFloor returns where the last batch of the index begins that is not
// after what is looked for, 0 without one.
func (s *segment) offsetFloor(after func(offsetEntry) bool) (position int64, err error) {
	var entry offsetEntry // begins at 0
	if mem := s.mem.Load(); mem != nil {
		entry, _ = floorOf(s, mem.offsets.view(), mem.loadedOffsets, after)
	} else if entry, _, err = coldSearch(s, &s.offsetFile, indexSuffix, offsetEntrySize, fileOffsets, after); err != nil {
		return 0, err
	}
	return int64(entry.position), nil
}

// Batches goes over the batches that hold offsets from from up to, not
// including, to, or the log's end. A batch is valid until the next step. An
// error ends it.
func (l *Log) Batches(from, to int64) iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		var buf []byte
		for from < min(to, l.End()) {
			b, err := l.readInto(buf[:0], from, to)
			if err != nil || len(b) == 0 {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			buf = b
			for len(b) > 0 {
				var batch record.Batch
				if batch, b, err = record.Next(b); err != nil {
					yield(nil, err)
					return
				}
				if batch.BaseOffset() >= to {
					return
				}
				from = batch.LastOffset() + 1
				if !yield(batch, nil) {
					return
				}
			}
		}
	}
}

func (l *Log) readInto(buf []byte, from, to int64) ([]byte, error) {
	r, err := l.Read(from, min(to, math.MaxInt64), scanBuffer, true)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	return r.AppendTo(buf)
}
