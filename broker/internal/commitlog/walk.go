package commitlog

import (
	"fmt"
	"sync"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// walkBuffer is what a walk reads at once: an index interval and some.
const walkBuffer = 8 << 10

// walk goes over the headers of batches in a file, without their contents.
type walk struct {
	file     vfs.File
	position int64 // of the next batch
	end      int64 // no batch reaches beyond
	from     int64 // what buf holds begins here
	held     int
	buf      [walkBuffer]byte
}

var walks = sync.Pool{New: func() any { return new(walk) }}

func newWalk(f vfs.File, position, end int64) *walk {
	w := walks.Get().(*walk)
	w.file, w.position, w.end, w.from, w.held = f, position, end, 0, 0
	return w
}

func (w *walk) done() {
	w.file = nil
	walks.Put(w)
}

// next returns the header of the next batch and where the batch begins. The
// header is valid until the call after. It returns nil at the end.
func (w *walk) next() (header record.Batch, position int64, err error) {
	if w.position >= w.end {
		return nil, w.position, nil
	}
	if w.end-w.position < record.HeaderSize {
		return nil, w.position, fmt.Errorf("%w: %d bytes hold no header", record.ErrShort, w.end-w.position)
	}
	if err := w.fill(); err != nil {
		return nil, w.position, err
	}
	header = record.Batch(w.buf[w.position-w.from:][:record.HeaderSize])
	size := int64(header.Size())
	if size < record.HeaderSize || size > w.end-w.position || header.Magic() != 2 || header.LastOffsetDelta() < 0 {
		return nil, w.position, fmt.Errorf("%w: %v", record.ErrCorrupt, header)
	}
	position = w.position
	w.position += size
	return header, position, nil
}

// fill makes the buffer hold the header at position.
func (w *walk) fill() error {
	if w.position >= w.from && w.position+record.HeaderSize <= w.from+int64(w.held) {
		return nil
	}
	n := int(min(walkBuffer, w.end-w.position))
	if read, err := w.file.ReadAt(w.buf[:n], w.position); read < n {
		w.held = 0
		return fmt.Errorf("read %d of %d bytes: %w", read, n, err)
	}
	w.from, w.held = w.position, n
	return nil
}
