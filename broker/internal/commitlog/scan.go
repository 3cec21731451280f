package commitlog

import (
	"bytes"
	"fmt"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// scanBuffer is what a scan reads at once; a larger batch makes it grow.
const scanBuffer = 256 << 10

// scan goes over whole batches in a file.
type scan struct {
	file     vfs.File
	position int64 // of the next batch
	end      int64
	buf      []byte
	from     int64 // what buf holds begins here
}

// next returns the next batch, valid until the call after, or nil at the end.
// It looks at framing only; on an error position stays.
func (s *scan) next() (record.Batch, error) {
	left := s.end - s.position
	if left == 0 {
		return nil, nil
	}
	if left < record.HeaderSize {
		return nil, fmt.Errorf("%w: %d bytes hold no header", record.ErrShort, left)
	}
	b, err := s.peek(record.HeaderSize)
	if err != nil {
		return nil, err
	}
	size := int64(record.Batch(b).Size())
	if size < record.HeaderSize {
		return nil, fmt.Errorf("%w: a batch of %d bytes", record.ErrCorrupt, size)
	}
	if size > left {
		return nil, fmt.Errorf("%w: a batch of %d bytes, %d are left", record.ErrShort, size, left)
	}
	if b, err = s.peek(int(size)); err != nil {
		return nil, err
	}
	s.position += size
	return record.Batch(b), nil
}

// peek returns n bytes at position.
func (s *scan) peek(n int) ([]byte, error) {
	at := s.position - s.from
	if at < 0 || at+int64(n) > int64(len(s.buf)) {
		want := int(min(int64(max(n, scanBuffer)), s.end-s.position))
		if cap(s.buf) < want {
			s.buf = make([]byte, want)
		}
		s.buf = s.buf[:want]
		if read, err := s.file.ReadAt(s.buf, s.position); read < want {
			s.buf = s.buf[:0]
			return nil, fmt.Errorf("read %d of %d bytes: %w", read, want, err)
		}
		s.from, at = s.position, 0
	}
	return s.buf[at : at+int64(n) : at+int64(n)], nil
}

// magicAt is where a header holds its format's version.
const magicAt = 16

// findValid looks for a valid batch at or behind position, at any byte, whose
// offset is not below least. Framing is lost behind a bad batch, so every
// byte is tried that could be a header's magic.
func (s *scan) findValid(position, least int64) (bool, error) {
	s.position = position
	for s.end-s.position >= record.HeaderSize {
		window, err := s.peek(int(min(scanBuffer, s.end-s.position)))
		if err != nil {
			return false, err
		}
		base := s.position
		for at := 0; at+record.HeaderSize <= len(window); at++ {
			skip := bytes.IndexByte(window[at+magicAt:], 2)
			if skip < 0 || at+skip+record.HeaderSize > len(window) {
				break
			}
			at += skip
			if !plausible(record.Batch(window[at:at+record.HeaderSize]), s.end-base-int64(at), least) {
				continue
			}
			s.position = base + int64(at)
			b, err := s.next()
			if err != nil {
				return false, err
			}
			if b.CheckStored() == nil {
				return true, nil
			}
			s.position = base
			if window, err = s.peek(len(window)); err != nil {
				return false, err
			}
		}
		s.position = base + int64(len(window)) - record.HeaderSize + 1
	}
	return false, nil
}

// plausible reports whether a header could be that of a batch of this log,
// before its CRC is worth computing.
func plausible(header record.Batch, left, least int64) bool {
	size := int64(header.Size())
	base := header.BaseOffset()
	return size >= record.HeaderSize && size <= left && base >= least && base-least <= maxRelative &&
		header.LastOffsetDelta() >= 0 && header.Count() >= 0
}
