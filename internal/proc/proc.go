package proc

import (
	"errors"
	"time"
)

// ErrUnknown means that the process is gone, belongs to somebody who does not
// let us look, or that the system does not tell.
var ErrUnknown = errors.New("nothing is known about the process")

// Usage is what a process has used since it began.
type Usage struct {
	// CPU is user and system time of all threads, in steps of 10 ms.
	CPU time.Duration
	// Resident is the memory it holds now, in bytes.
	Resident int64
}

// Process names a process.
type Process struct {
	PID  int
	Name string
}
