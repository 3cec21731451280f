package server

import (
	"context"
	"time"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// Handler serves requests.
type Handler interface {
	// Serve starts a request and returns its reply, ready or parked, without
	// waiting for anything but the append itself. A nil reply without an
	// error means that the client expects none. An error closes the
	// connection; a *CloseError says why.
	//
	// The request belongs to the connection and is used again for the next
	// one. Its Body and ClientID are valid until Serve returns for Produce and
	// Fetch, and for good for every other API.
	Serve(r *Request) (Reply, error)
}

// Request is a frame taken apart, and where it came from.
type Request struct {
	wire.Header
	Body []byte
	// Listener is the name of the listener it came by, which decides the
	// addresses that answers name.
	Listener string
	// ClientHost is the client's address as Kafka shows it: "/10.0.0.7".
	ClientHost string
	// Received is when the last byte was read.
	Received time.Time
	// Context ends when the connection does.
	Context context.Context
	// Waker is what a parked reply calls once it has become ready.
	Waker *Waker
	// Mute keeps the connection's next requests waiting, by a handler that
	// throttles its client or by the reply when it is encoded.
	Mute *Mute
}

// Reply is the answer to one request. The writer of the connection calls its
// methods, one at a time; only becoming ready happens elsewhere.
type Reply interface {
	// Ready says that Encode will not wait. Whoever makes a parked reply
	// ready then calls Wake on the Waker of its request, and touches the
	// reply no more.
	Ready() bool
	// Deadline is when Expire is called unless the reply is ready before; the
	// zero time for never.
	Deadline() time.Time
	// Expire makes the reply ready with what it has by its deadline, unless
	// it is becoming ready at this moment: then its wake is on the way.
	Expire()
	// Cancel ends the wait because nobody reads the reply any more. It may be
	// called on a reply that is ready.
	Cancel()
	// Encode appends header and body, without the frame's length. An error
	// closes the connection.
	Encode(out *Out) error
	// Release gives up what the reply holds, files among it, after it was
	// written or cancelled. It is the last call.
	Release()
}

// Waker tells a connection's writer that a parked reply has become ready.
type Waker struct{ poke chan struct{} }

// NewWaker returns a Waker with its channel, on which a wake is received. The
// server makes one per connection; tests of handlers make their own.
func NewWaker() (*Waker, <-chan struct{}) {
	w := &Waker{poke: make(chan struct{}, 1)}
	return w, w.poke
}

// Wake never blocks. Several wakes may count as one.
func (w *Waker) Wake() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}
