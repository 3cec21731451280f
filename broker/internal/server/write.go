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
		rest := true
		if c.hold() {
			var over bool
			var err error
			rest, over, err = c.turn()
			c.sending.Store(false)
			if over || err != nil {
				return err
			}
		}
		if rest && c.rest() {
			return nil
		}
	}
}

// hold takes the right to send for the writer. If the reader has it, it wakes
// the writer once it has given it back.
func (c *conn) hold() bool {
	if c.sending.CompareAndSwap(false, true) {
		return true
	}
	c.missed.Store(true)
	return c.sending.CompareAndSwap(false, true)
}

// turn sends what is ready, or looks at what is not. The writer rests if there
// was nothing to do, and is over when the connection is.
func (c *conn) turn() (rest, over bool, err error) {
	if sent, err := c.sendHead(); sent || err != nil {
		return false, false, err
	}
	head, produce := c.ring.peek()
	if c.draining.Load() {
		if head == nil && c.readerEnd == nil || head != nil && !head.Ready() && !produce {
			return false, true, nil
		}
	}
	return head == nil || !c.expire(head), false, nil
}

// sendReady sends the replies that are ready at the head of the ring, on the
// reader's goroutine: to wake the writer for them would cost more than to send
// them. The reader calls it before it waits for anything, and while whole
// frames are here it goes on serving them, so that their replies leave
// together.
func (c *conn) sendReady() error {
	if !c.sending.CompareAndSwap(false, true) {
		c.waker.Wake() // The writer may have looked before the last push.
		return nil
	}
	sent, err := c.sendHead()
	for more := sent; more && err == nil; {
		more, err = c.sendHead()
	}
	c.sending.Store(false)
	// What is left has waited behind what was sent, and its deadline is not
	// known to the writer yet.
	if c.missed.Swap(false) || sent && !c.ring.empty() {
		c.waker.Wake()
	}
	return err
}

// sendHead sends what is ready at the head of the ring, and says whether it
// was anything. The caller has the right to send.
func (c *conn) sendHead() (bool, error) {
	c.taken = c.ring.take(c.taken[:0])
	if len(c.taken) == 0 {
		return false, nil
	}
	return true, c.send()
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

// rest waits until the head of the ring may have become ready, or its
// deadline has come. It is over when the connection is.
func (c *conn) rest() (over bool) {
	select {
	case <-c.woken:
	case <-c.timer.C:
		c.timerAt = time.Time{}
	case <-c.readerEnd:
		c.readerEnd = nil // Known from here on.
	case <-c.ctx.Done():
	}
	return c.ctx.Err() != nil
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
