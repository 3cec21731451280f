package commitlog

import (
	"errors"
	"fmt"
)

var (
	// ErrOffsetOutOfRange means an offset below the log's start or beyond its
	// end.
	ErrOffsetOutOfRange = errors.New("commitlog: offset out of range")
	// ErrNotContiguous means batches whose offsets do not continue the log.
	// Nothing of them is written.
	ErrNotContiguous = errors.New("commitlog: offsets do not continue the log")
	// ErrTooLarge means more bytes than one segment can hold.
	ErrTooLarge = errors.New("commitlog: batch does not fit a segment")
	// ErrOffline means that a sync or a repair has failed. What the disk holds
	// is not known any more, so nothing is appended or flushed until the log
	// is opened again; what is there can still be read.
	ErrOffline = errors.New("commitlog: log is offline")
	// ErrClosed means a log after Close or Delete.
	ErrClosed = errors.New("commitlog: log is closed")
)

// CorruptError says where a log is damaged.
type CorruptError struct {
	File     string // path of the file
	Position int64  // of the first bad byte, in the file
	Offset   int64  // the first offset that cannot be read
	Reason   error  // what was found there
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: position %d, offset %d: %v", e.File, e.Position, e.Offset, e.Reason)
}

func (e *CorruptError) Unwrap() error { return e.Reason }
