package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	in, out       *pipe
	local, remote Addr
	read, write   deadline
	// writing is held during a Write, so that those of several goroutines do
	// not mix. It is a channel and not a mutex because a Write waits.
	writing chan struct{}
	once    sync.Once
	onClose func()
}

var _ net.Conn = (*conn)(nil)

func newPair(nearAddr, farAddr Addr) (near, far *conn) {
	there, back := newPipe(), newPipe()
	near = &conn{in: back, out: there, local: nearAddr, remote: farAddr, writing: make(chan struct{}, 1)}
	far = &conn{in: there, out: back, local: farAddr, remote: nearAddr, writing: make(chan struct{}, 1)}
	for _, c := range []*conn{near, far} {
		c.read.init()
		c.write.init()
	}
	return near, far
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		if c.read.passed() {
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		}
		n, err := c.in.read(p)
		if err == io.EOF { //nolint:errorlint // Ours, never wrapped; io.Reader wants it bare.
			return n, err
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, c.fail("read", err)
		}
		select {
		case <-c.in.readable:
		case <-c.read.wait():
		}
	}
}

func (c *conn) Write(p []byte) (int, error) {
	select {
	case c.writing <- struct{}{}:
	case <-c.write.wait():
		return 0, c.fail("write", os.ErrDeadlineExceeded)
	}
	defer func() { <-c.writing }()
	written := 0
	for {
		if c.write.passed() {
			return written, c.fail("write", os.ErrDeadlineExceeded)
		}
		n, err := c.out.write(p[written:])
		written += n
		if err != nil || written == len(p) {
			return written, c.fail("write", err)
		}
		select {
		case <-c.out.writable:
		case <-c.write.wait():
		}
	}
}

// Close ends both directions. The peer can still read what was written.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		c.out.closeWriter(net.ErrClosed)
		c.in.closeReader(net.ErrClosed, syscall.EPIPE)
		if c.onClose != nil {
			c.onClose()
		}
	})
	return c.fail("close", err)
}

// CloseWrite ends the direction of writing only, as TCP's half close.
func (c *conn) CloseWrite() error {
	c.out.closeWriter(net.ErrClosed)
	return nil
}

// reset ends the connection for both ends, losing what is buffered.
func (c *conn) reset() {
	for _, p := range []*pipe{c.in, c.out} {
		p.closeReader(syscall.ECONNRESET, syscall.ECONNRESET)
	}
	if c.onClose != nil {
		c.onClose()
	}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.read.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.write.set(t)
	return nil
}

func (c *conn) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: "mem", Source: c.local, Addr: c.remote, Err: err}
}

// deadline is a point in time that can be waited for and moved.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	over  chan struct{} // closed once the deadline has passed
}

func (d *deadline) init() { d.over = make(chan struct{}) }

// wait returns a channel that is closed when the deadline passes. Moving the
// deadline after it has passed makes a new channel; before, the same one
// stays valid.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *deadline) passed() bool {
	select {
	case <-d.wait():
		return true
	default:
		return false
	}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.over // The timer has fired or is about to: let it.
	}
	d.timer = nil
	closed := false
	select {
	case <-d.over:
		closed = true
	default:
	}
	if t.IsZero() {
		if closed {
			d.over = make(chan struct{})
		}
		return
	}
	left := time.Until(t)
	if left <= 0 {
		if !closed {
			close(d.over)
		}
		return
	}
	if closed {
		d.over = make(chan struct{})
	}
	over := d.over
	d.timer = time.AfterFunc(left, func() { close(over) })
}
