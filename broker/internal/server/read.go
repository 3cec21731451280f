package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"time"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// read serves frames until the connection or the server ends. It returns a
// *CloseError if the client did something to be told about.
func (c *conn) read() error {
	for {
		if !c.frameBuffered() {
			if err := c.beforeReading(); err != nil {
				return err
			}
		}
		length, err := c.awaitFrame()
		if err != nil {
			return err
		}
		if err := c.unmuted(); err != nil {
			return err
		}
		if err := c.serveFrame(length); err != nil {
			return err
		}
	}
}

// beforeReading sees to the replies that are ready. After small frames the
// reader sends them at once: together, if the client has several under way.
// After a large one more is likely to be: the writer sends, while that is read
// and served.
func (c *conn) beforeReading() error {
	if !c.in.bulk {
		return c.sendReady()
	}
	if !c.ring.empty() {
		c.waker.Wake()
	}
	return nil
}

// frameBuffered reports whether the next frame is here whole.
func (c *conn) frameBuffered() bool {
	n := c.in.buffered()
	return n >= 4 && n >= 4+int(binary.BigEndian.Uint32(c.in.peek(4)))
}

// awaitFrame waits for the length of the next frame and leaves it unread.
func (c *conn) awaitFrame() (int, error) {
	for {
		if err := c.armIdle(); err != nil {
			return 0, err
		}
		err := c.in.need(4)
		if err == nil {
			length, refusal := c.srv.cfg.checkLength(c.in.peek(4))
			if refusal != nil {
				return 0, refusal
			}
			return length, nil
		}
		switch {
		case c.draining.Load(), !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		case c.ring.empty() && c.idle(time.Now()):
			return 0, refuse(Idle, "nothing for %v", c.srv.cfg.IdleTimeout)
		}
		// A reply is parked, or was sent meanwhile: that is not idle. Wait on.
		c.armed = time.Time{}
	}
}

// idle says that no reply has left for the whole time, either.
func (c *conn) idle(now time.Time) bool {
	last := c.sentAt.Load()
	return last == 0 || now.Sub(time.Unix(0, last)) >= c.srv.cfg.IdleTimeout
}

// armIdle sets the read deadline for the time between frames. It is moved
// rarely, since moving costs more than a small frame.
func (c *conn) armIdle() error {
	now := time.Now()
	due := now.Add(c.srv.cfg.IdleTimeout)
	if due.Sub(c.armed) > c.srv.cfg.IdleTimeout/8 || c.armed.After(due) {
		if err := c.nc.SetReadDeadline(due); err != nil {
			return err
		}
		c.armed = due
	}
	if c.draining.Load() {
		return context.Canceled
	}
	return nil
}

// armFrame sets the read deadline for the rest of a frame.
func (c *conn) armFrame() error {
	c.armed = time.Time{}
	if err := c.nc.SetReadDeadline(time.Now().Add(c.srv.cfg.FrameTimeout)); err != nil {
		return err
	}
	if c.draining.Load() {
		return context.Canceled
	}
	return nil
}

// serveFrame reads one frame, waits for its turn and serves it.
func (c *conn) serveFrame(length int) error {
	size := 4 + length
	if c.in.buffered() < size {
		if err := c.armFrame(); err != nil {
			return err
		}
	}
	if err := c.in.need(wire.PrefixSize); err != nil {
		return slow(err)
	}
	key := int16(binary.BigEndian.Uint16(c.in.peek(wire.PrefixSize)[4:]))
	if limit := c.srv.cfg.MaxOtherBytes; key != wire.KeyProduce && length > limit {
		return refuse(FrameTooLarge, "frame of %d bytes for API key %d, at most %d", length, key, limit)
	}
	c.in.bulk = !c.in.fits(size)
	if c.in.bulk {
		return c.serveLarge(key, length)
	}
	return c.serveSmall(key, size)
}

// serveSmall serves a frame where it is. Of Produce and Fetch nothing is kept
// beyond their serving; what others keep is theirs.
func (c *conn) serveSmall(key int16, size int) error {
	if err := c.in.need(size); err != nil {
		return slow(err)
	}
	frame := c.in.peek(size)[4:]
	if !hot(key) {
		frame = bytes.Clone(frame)
	}
	err := c.serveBody(key, frame)
	c.in.discard(size)
	return err
}

// serveLarge reads a frame into a buffer of its own, which counts against what
// all connections may have under way, and serves it.
func (c *conn) serveLarge(key int16, length int) error {
	if err := c.srv.queued.Acquire(c.ctx, int64(length)); err != nil {
		return err
	}
	defer c.srv.queued.Release(int64(length))
	c.in.discard(4)
	var frame []byte
	if hot(key) {
		buf := c.srv.pool.get(length)
		defer c.srv.pool.put(buf)
		frame = buf.b
	} else {
		frame = make([]byte, length)
	}
	if err := c.in.readFull(frame); err != nil {
		return slow(err)
	}
	return c.serveBody(key, frame)
}

// hot says that a request keeps nothing of its frame.
func hot(key int16) bool { return key == wire.KeyProduce || key == wire.KeyFetch }

func (c *conn) serveBody(key int16, frame []byte) error {
	c.srv.cfg.Metrics.Request(key, 4+len(frame))
	var err error
	c.request.Header, c.request.Body, err = wire.ParseHeader(frame)
	if err != nil {
		return malformed(err)
	}
	c.request.Received = time.Now()
	return c.serve(key == wire.KeyProduce)
}

// serve waits until the request may start, starts it, and puts its reply into
// the ring.
func (c *conn) serve(produce bool) error {
	for !c.ring.admits(produce) {
		if err := c.sendReady(); err != nil {
			return err
		}
		if c.ring.admits(produce) {
			break
		}
		select {
		case <-c.ring.moved:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
	// A Fetch knows only at its end how long its client has to pause.
	if err := c.unmuted(); err != nil {
		return err
	}
	reply, err := c.srv.handler.Serve(&c.request)
	if err != nil {
		return malformed(err)
	}
	if reply == nil {
		return nil
	}
	first, ok := c.ring.push(slot{reply: reply, key: c.request.Key, received: c.request.Received}, produce)
	if !ok {
		reply.Cancel()
		reply.Release()
		return c.ctx.Err()
	}
	// A reply that is ready the reader sends itself, before it waits for
	// anything. One behind others is looked at when they have left.
	if first && !reply.Ready() {
		c.waker.Wake()
	}
	return nil
}

// slow turns the end of the frame's time into a refusal.
func slow(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(SlowFrame, "a frame did not arrive in time")
	}
	return err
}

// malformed turns a decoder's error into a refusal.
func malformed(err error) error {
	if errors.Is(err, wire.ErrMalformed) {
		return &CloseError{Reason: Malformed, Detail: "not a request that Kafka has", Err: err}
	}
	return err
}
