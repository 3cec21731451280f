package api

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// handler serves one API.
type handler func(*Broker, *server.Request) (server.Reply, error)

// call is what a handler knows of a request beside its body. It outlives the
// request, which belongs to the connection.
type call struct {
	wire.Header
	listener   string
	clientHost string
	ctx        context.Context // ends with the connection
	mute       *server.Mute
}

func callOf(r *server.Request) call {
	return call{Header: r.Header, listener: r.Listener, clientHost: r.ClientHost, ctx: r.Context, mute: r.Mute}
}

// request is a kmsg request by pointer: what the adapters below decode into.
type request[T any] interface {
	*T
	kmsg.Request
}

// response is a kmsg response by pointer. A type parameter and not the
// interface, so that a handler cannot return a nil in an interface.
type response interface{ kmsg.Response }

// now adapts a handler that answers at once.
func now[T any, Req request[T], Resp response](f func(*Broker, call, Req) Resp) handler {
	return func(b *Broker, r *server.Request) (server.Reply, error) {
		req, err := decode[T, Req](b, r)
		if err != nil {
			return nil, err
		}
		return answer(r.Header, f(b, callOf(r), req)), nil
	}
}

// later adapts a handler that answers by a callback, once.
func later[T any, Req request[T], Resp response](f func(*Broker, call, Req, func(Resp))) handler {
	return func(b *Broker, r *server.Request) (server.Reply, error) {
		req, err := decode[T, Req](b, r)
		if err != nil {
			return nil, err
		}
		p := &pending{h: r.Header, waker: r.Waker}
		f(b, callOf(r), req, func(resp Resp) { p.finish(resp) })
		return p, nil
	}
}

// blocking adapts a handler that waits for something, on a goroutine that
// ends with the connection or with the Broker.
func blocking[T any, Req request[T], Resp response](f func(*Broker, call, Req) Resp) handler {
	return later(func(b *Broker, c call, req Req, reply func(Resp)) {
		b.background(c, func(c call) { reply(f(b, c, req)) })
	})
}

// background runs f on a goroutine, with a context that ends with the
// connection or with the Broker.
func (b *Broker) background(c call, f func(call)) {
	b.blocking.Go(func() {
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		defer context.AfterFunc(b.ctx, cancel)()
		c.ctx = ctx
		f(c)
	})
}

// decode reads the body of a request that kmsg decodes.
func decode[T any, Req request[T]](b *Broker, r *server.Request) (Req, error) {
	if len(r.Body) > largeFrame {
		b.large.Lock()
		defer b.large.Unlock()
	}
	req := Req(new(T))
	if err := wire.DecodeInto(req, r.Header, r.Body); err != nil {
		return nil, err
	}
	return req, nil
}

// answered is a reply that was complete from the start.
type answered struct {
	h        wire.Header
	resp     kmsg.Response
	throttle time.Duration
}

// answer replies at the version of the request.
func answer(h wire.Header, resp kmsg.Response) *answered {
	resp.SetVersion(h.Version)
	return &answered{h: h, resp: resp}
}

func (*answered) Ready() bool         { return true }
func (*answered) Deadline() time.Time { return time.Time{} }
func (*answered) Expire()             {}
func (*answered) Cancel()             {}
func (*answered) Release()            {}

func (a *answered) pause(d time.Duration) { a.throttle = d }

func (a *answered) Encode(out *server.Out) error {
	throttled(a.resp, a.throttle)
	out.Buf = wire.AppendResponse(out.Buf, a.h, a.resp)
	return nil
}

// pending is a reply that is completed once, on any goroutine. It has no
// deadline: whoever completes it knows its own. It is not pooled, so one that
// comes after the connection has gone does no harm.
type pending struct {
	h     wire.Header
	waker *server.Waker
	resp  kmsg.Response
	ready atomic.Bool
	// throttle is set before the reply is handed to the connection.
	throttle time.Duration
}

func (p *pending) finish(resp kmsg.Response) {
	resp.SetVersion(p.h.Version)
	p.resp = resp
	p.ready.Store(true)
	p.waker.Wake()
}

func (p *pending) Ready() bool       { return p.ready.Load() }
func (*pending) Deadline() time.Time { return time.Time{} }
func (*pending) Expire()             {}
func (*pending) Cancel()             {}
func (*pending) Release()            {}

func (p *pending) pause(d time.Duration) { p.throttle = d }

func (p *pending) Encode(out *server.Out) error {
	throttled(p.resp, p.throttle)
	out.Buf = wire.AppendResponse(out.Buf, p.h, p.resp)
	return nil
}
