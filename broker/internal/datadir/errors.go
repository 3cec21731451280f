package datadir

import (
	"errors"
	"fmt"
)

var (
	// ErrInUse means that another process holds the directory's lock.
	ErrInUse = errors.New("data directory is in use")
	// ErrForeign means a directory that belongs to another cluster or node.
	ErrForeign = errors.New("data directory belongs to another")
	// ErrOffline means that a flush in the directory has failed. What the disk
	// holds is not known any more.
	ErrOffline = errors.New("data directory is offline")
)

// FormatError says where a file of the directory cannot be read.
type FormatError struct {
	File   string
	Line   int // 0 where no line is to blame
	Reason string
}

func (e *FormatError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}
