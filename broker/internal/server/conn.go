package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection: a reader that serves requests and a writer that
// sends replies, with the ring between them.
type conn struct {
	srv      *Server
	nc       net.Conn
	listener string
	client   string

	// The reader's.
	in      inbox
	request Request
	armed   time.Time // the read deadline last set

	ring ring
	mute Mute

	// sending is the right to send and to touch replies in the ring, of the
	// writer or the reader. Nobody waits for it: missed says that the writer
	// wanted it while the reader had it.
	sending, missed atomic.Bool
	// Of who has the right.
	out     Out
	taken   []slot
	writeBy time.Time // the write deadline last set

	// The writer's.
	waker     *Waker
	woken     <-chan struct{}
	timer     *time.Timer
	timerAt   time.Time       // when the timer fires; zero if it is not armed
	readerEnd <-chan struct{} // closed when the reader ends; nil once the writer knows

	sentAt   atomic.Int64 // when replies were last sent, in nanoseconds
	ctx      context.Context
	cancel   context.CancelFunc
	draining atomic.Bool
	drained  chan struct{} // closed when draining begins
	closing  sync.Once
}

func newConn(ctx context.Context, srv *Server, nc net.Conn, listener string) *conn {
	c := &conn{
		srv: srv, nc: nc, listener: listener, client: clientHost(nc),
		drained: make(chan struct{}),
	}
	c.in.init(nc, &srv.wides)
	c.ring.init()
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.waker, c.woken = NewWaker()
	c.out = Out{pool: &srv.pool, socket: newSocket(nc), arm: c.armWrite}
	c.request = Request{Listener: listener, ClientHost: c.client, Context: c.ctx, Waker: c.waker, Mute: &c.mute}
	c.timer = time.NewTimer(time.Hour)
	c.timer.Stop()
	return c
}

// run serves the connection until it ends.
func (c *conn) run() {
	var writer sync.WaitGroup
	readerEnd := make(chan struct{})
	c.readerEnd = readerEnd
	writer.Go(func() { c.end(c.write()) })
	err := c.read()
	close(readerEnd)
	c.in.discard(c.in.buffered())
	c.in.close()
	if !c.draining.Load() {
		_ = c.sendReady() // What was served is answered, if the client still listens.
		c.end(err)
	}
	writer.Wait()
	c.timer.Stop()
	for _, s := range c.ring.close() {
		s.reply.Cancel()
		s.reply.Release()
	}
}

// end closes the connection. The first cause counts; that the client has gone
// is none.
func (c *conn) end(err error) {
	c.closing.Do(func() {
		if refusal, ok := errors.AsType[*CloseError](err); ok {
			c.srv.refusals.note(time.Now(), c.listener, c.client, refusal)
		}
		c.cancel()
		_ = c.nc.Close() // Nothing is left to be lost by it.
	})
}

// drain stops the reader; the writer then ends the connection once what was
// appended is answered.
func (c *conn) drain() {
	if !c.draining.Swap(true) {
		close(c.drained)
	}
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // Fails only on a closed connection.
	c.waker.Wake()
}

// clientHost is the address of the other end as Kafka shows it.
func clientHost(nc net.Conn) string {
	addr := nc.RemoteAddr()
	if addr == nil {
		return "/"
	}
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		host = addr.String()
	}
	return "/" + host
}
