package quorum

import (
	"errors"
	"fmt"
)

var (
	// ErrNotController is returned where this node does not lead the quorum,
	// or has not applied the first entry of its term yet, or lost leadership
	// while a proposal was under way; then it may or may not come to be.
	ErrNotController = errors.New("this node is not the active controller")
	// ErrStopped is returned by a Runner whose Run has ended.
	ErrStopped = errors.New("the metadata quorum has stopped")
	// ErrTooLarge is returned for records that do not fit one entry.
	ErrTooLarge = errors.New("too many metadata records for one entry")
	// ErrCorrupt is returned for a file or entry that is not what was written.
	ErrCorrupt = errors.New("corrupt metadata")
	// ErrForeign is returned for a directory that belongs to another node or
	// lacks what it should have.
	ErrForeign = errors.New("metadata directory does not fit this node")
)

// RotError says that the log has lost an entry that was durable (D16).
type RotError struct {
	File     string
	Position int64  // of the bad entry in the file
	Index    uint64 // of the bad entry
	Witness  uint64 // index of the later entry that names it as durable
	Reason   error
}

func (e *RotError) Error() string {
	return fmt.Sprintf("metadata log: %s is damaged at position %d: entry %d was durable when entry %d was written, and is not there any more (%v). "+
		"Not starting, since topics and configs would silently go back in time. "+
		"With other voters: replace this node. Alone: restore the directory from a backup, or run `millrace log repair` to see what is left",
		e.File, e.Position, e.Index, e.Witness, e.Reason)
}

func (e *RotError) Unwrap() error { return e.Reason }
