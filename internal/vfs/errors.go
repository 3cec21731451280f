package vfs

import (
	"errors"
	"syscall"
)

var (
	// ErrLocked is what Lock returns where another process, or another part
	// of this one, holds the lock.
	ErrLocked = errors.New("locked by another process")
	// ErrCrashed is the error of everything done with a Mem after its Crash:
	// the process that held it is gone.
	ErrCrashed = errors.New("vfs: the filesystem has crashed")
)

// IsNoSpace reports whether err says that the disk or a quota is full: what
// is written can be cut and written again once there is space.
func IsNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
