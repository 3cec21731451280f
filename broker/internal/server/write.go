package server

import (
	"errors"
	"os"
	"time"
)

// write sends replies until the connection ends, or until a drain has nothing
// left to wait for.
func (c *conn) write() error {
	for {
		c.taken = c.ring.take(c.taken[:0])
		if len(c.taken) > 0 {
			if err := c.send(); err != nil {
				return err
			}
			continue
		}
		if over, err := c.await(); over || err != nil {
			return err
		}
	}
}

// send encodes what was taken, up to the size of one write, and writes it.
// Once encoded, replies leave the ring, so that the reader goes on meanwhile.
func (c *conn) send() error {
	c.out.begin()
	defer c.out.end()
	now, n := time.Now(), 0
	for _, s := range c.taken {
		before := c.out.size()
		if err := c.out.frame(s.reply); err != nil {
			return err
		}
		n++
		c.srv.cfg.Metrics.Replied(s.key, c.out.size()-before, now.Sub(s.received))
		if c.out.size() >= stageMax {
			break
		}
	}
	c.sentAt.Store(now.UnixNano())
	c.ring.drop(n)
	err := c.out.writeTo(c.nc)
	for i := range n {
		c.taken[i].reply.Release()
	}
	clear(c.taken)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(StalledWrite, "the client took nothing for %v", c.srv.cfg.WriteTimeout)
	}
	return err
}

// await waits until the head of the ring may have become ready, and expires
// it at its deadline. It is over when the connection is.
func (c *conn) await() (over bool, err error) {
	head, produce := c.ring.peek()
	if c.draining.Load() {
		if head == nil && c.readerEnd == nil || head != nil && !head.Ready() && !produce {
			return true, nil
		}
	}
	if head != nil && c.expire(head) {
		return false, nil
	}
	select {
	case <-c.woken:
	case <-c.timer.C:
		c.timerAt = time.Time{}
	case <-c.readerEnd:
		c.readerEnd = nil // Known from here on.
	case <-c.ctx.Done():
	}
	return c.ctx.Err() != nil, nil
}

// expire ends the wait of the head if its time has come, and says whether it
// is ready; if it became so at the same moment, its wake is on the way.
// Otherwise expire makes sure that the timer fires by then: one that fires earlier is left as it is,
// since it was set for a reply that has left, and moving it costs more than
// one needless wake-up.
func (c *conn) expire(head Reply) bool {
	deadline := head.Deadline()
	if deadline.IsZero() || head.Ready() {
		return head.Ready()
	}
	now := time.Now()
	if !now.Before(deadline) {
		head.Expire()
		return head.Ready()
	}
	if c.timerAt.IsZero() || deadline.Before(c.timerAt) {
		c.timer.Reset(deadline.Sub(now))
		c.timerAt = deadline
	}
	return false
}

// armWrite moves the write deadline, rarely, as armIdle does.
func (c *conn) armWrite() error {
	due := time.Now().Add(c.srv.cfg.WriteTimeout)
	if due.Sub(c.writeBy) <= c.srv.cfg.WriteTimeout/8 {
		return nil
	}
	c.writeBy = due
	return c.nc.SetWriteDeadline(due)
}
