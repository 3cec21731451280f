package bench

import (
	"runtime"
	"time"
)

// pace wakes its goroutine at fixed times. It keeps a thread of its own for
// it: timers of the runtime may come a millisecond late, which would be taken
// for latency of the server.
type pace struct {
	due      time.Time
	interval time.Duration
}

func newPace(epoch time.Time, interval time.Duration) *pace {
	runtime.LockOSThread()
	sharpen()
	return &pace{due: epoch, interval: interval}
}

// next waits for the next time and returns it. It never skips one: who is
// late makes up for it.
func (p *pace) next() time.Time {
	p.due = p.due.Add(p.interval)
	if left := time.Until(p.due); left > 0 {
		rest(left)
	}
	return p.due
}

func (p *pace) end() { runtime.UnlockOSThread() }
