//go:build unix

package datadir

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFileLimit is the share of the process's descriptors that logs may take:
// the rest is for connections.
func openFileLimit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 512
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) / 10 * 6
}
