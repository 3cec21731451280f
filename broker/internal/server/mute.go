package server

import (
	"context"
	"sync/atomic"
	"time"
)

// Mute keeps the next requests of a connection waiting (KIP-219): the reply
// that says so leaves at once, and what the client sends all the same is left
// unread. The zero Mute is open.
type Mute struct {
	until atomic.Int64 // nanoseconds since 1970
}

// For mutes the connection from now on. One that is muted for longer stays so.
// A nil Mute belongs to no connection.
func (m *Mute) For(now time.Time, pause time.Duration) {
	if m == nil || pause <= 0 {
		return
	}
	until := now.Add(pause).UnixNano()
	for {
		old := m.until.Load()
		if old >= until || m.until.CompareAndSwap(old, until) {
			return
		}
	}
}

// left is how long the connection stays muted.
func (m *Mute) left() time.Duration {
	until := m.until.Load()
	if until == 0 {
		return 0
	}
	return time.Until(time.Unix(0, until))
}

// unmuted returns once the connection may go on.
func (c *conn) unmuted() error {
	for pause := c.mute.left(); pause > 0; pause = c.mute.left() {
		if err := c.sendReady(); err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-c.drained:
			timer.Stop()
			return context.Canceled
		case <-c.ctx.Done():
			timer.Stop()
			return c.ctx.Err()
		}
	}
	return nil
}
