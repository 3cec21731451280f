package server

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestItem12_ConnectionsAreBounded(t *testing.T) {
	for name, cfg := range map[string]Config{
		"max.connections":        {MaxConnections: 1},
		"max.connections.per.ip": {MaxConnectionsPerIP: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cfg)
			first := r.dial()
			send(t, first, frame(3, 1, ""))
			receive(t, first)
			closed(t, r.dial())
			if !r.wasRefused(TooManyConnections) || !strings.Contains(r.log.String(), name) {
				t.Errorf("the log does not name %s: %s", name, r.log)
			}
			_ = first.Close()
			for r.srv.Connections() > 0 {
				<-time.After(time.Millisecond)
			}
			again := r.dial()
			send(t, again, frame(3, 2, ""))
			receive(t, again) // The place is free again.
		})
	}
}

func TestItem12_BoundsChangeWhileTheServerRuns(t *testing.T) {
	var mu sync.Mutex
	limits := Limits{Connections: 1}
	r := newRig(t, Config{Limits: func() Limits {
		mu.Lock()
		defer mu.Unlock()
		return limits
	}})
	first := r.dial()
	send(t, first, frame(3, 1, ""))
	receive(t, first)
	closed(t, r.dial())
	mu.Lock()
	limits = Limits{Connections: 2}
	mu.Unlock()
	second := r.dial()
	send(t, second, frame(3, 2, ""))
	receive(t, second)
}

func TestItem12_OverridesReplaceTheBoundOfAnAddress(t *testing.T) {
	l := Limits{PerIP: 5, Overrides: map[string]int{"10.0.0.1": 7, "10.0.0.2": 0}}
	for address, want := range map[string]int{"10.0.0.1": 7, "10.0.0.2": 0, "10.0.0.3": 5} {
		if got, ok := l.perIP(address); got != want || !ok {
			t.Errorf("%s: %d, want %d", address, got, want)
		}
	}
	if _, ok := (Limits{}).perIP("10.0.0.1"); ok {
		t.Error("a bound where none is set")
	}
}

// bucket lets the first n in.
type bucketGate struct {
	mu       sync.Mutex
	listener int // connections after which the listener pauses
	address  int // connections after which an address is held
	pause    time.Duration
}

func (g *bucketGate) Accept(time.Time) time.Duration {
	return g.after(&g.listener)
}

func (g *bucketGate) Connect(string, time.Time) time.Duration {
	return g.after(&g.address)
}

func (g *bucketGate) after(left *int) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if *left--; *left >= 0 {
		return 0
	}
	return g.pause
}

func TestItem12_AnAddressThatConnectsTooOftenIsHeldAndClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Gate: &bucketGate{listener: 99, address: 1, pause: 3 * time.Second}})
		first, begin := r.dial(), time.Now()
		send(t, first, frame(3, 1, ""))
		receive(t, first)
		closed(t, r.dial())
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("closed after %v, want 3 s: who is closed at once comes again at once", took)
		}
		if !r.wasRefused(TooFastConnections) {
			t.Error("not counted")
		}
		synctest.Wait()
		if n := r.srv.Connections(); n != 1 {
			t.Errorf("%d connections are counted, 1 is open", n)
		}
	})
}

func TestItem12_TheListenerPausesAboveTheConnectionRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Gate: &bucketGate{listener: 1, address: 99, pause: 2 * time.Second}})
		begin := time.Now()
		for i := range int32(3) {
			nc := r.dial()
			send(t, nc, frame(3, i, ""))
			receive(t, nc)
		}
		// The second is accepted and then the listener pauses before the third.
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("three connections took %v, want 2 s", took)
		}
	})
}

// Item 13 and KIP-219: the reply leaves at once, and only then the client waits.
func TestItem13_ThrottledRepliesLeaveAtOnceAndTheChannelIsMuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = func(req *Request, p *parked) {
			if req.CorrelationID == 1 {
				req.Mute.For(time.Now(), 5*time.Second)
			}
			p.ready.Store(true)
		}
		nc, other := r.dial(), r.dial()
		begin := time.Now()
		send(t, nc, frame(3, 1, ""), frame(3, 2, ""))
		receive(t, nc)
		if took := time.Since(begin); took != 0 {
			t.Errorf("the throttled reply took %v", took)
		}
		send(t, other, frame(3, 3, ""))
		receive(t, other)
		if took := time.Since(begin); took != 0 {
			t.Errorf("another connection waited %v", took)
		}
		receive(t, nc)
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("the next request was served after %v, want 5 s", took)
		}
	})
}

// A server that stops does not wait until its muted connections may speak.
func TestItem13_AMutedConnectionDoesNotDelayTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = func(req *Request, p *parked) {
			req.Mute.For(time.Now(), time.Hour)
			p.ready.Store(true)
		}
		nc := r.dial()
		send(t, nc, frame(3, 1, ""), frame(3, 2, ""))
		receive(t, nc)
		synctest.Wait()
		begin := time.Now()
		r.close()
		if took := time.Since(begin); took > 0 {
			t.Errorf("the stop took %v", took)
		}
	})
}

// exhausted is a listener of a process that is out of descriptors for a while.
type exhausted struct {
	net.Listener
	mu       sync.Mutex
	failures int
}

func (l *exhausted) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.failures--
	fail := l.failures >= 0
	l.mu.Unlock()
	if fail {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// D20: without descriptors nothing is accepted, without a busy loop, and what
// is there goes on; afterwards the listener accepts again by itself.
func TestD20_OutOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		first := r.dial()
		send(t, first, frame(3, 1, ""))
		receive(t, first)
		l, err := r.net.Listen("node-1:9093")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		other := New(Config{Logger: slog.New(slog.NewTextHandler(r.log, nil))}, r.stage)
		go func() {
			done <- other.Serve(ctx, Listener{Name: "b", Listener: &exhausted{Listener: l, failures: 5}})
		}()
		begin := time.Now()
		nc, err := r.net.Dial(ctx, "tcp", "node-1:9093")
		if err != nil {
			t.Fatal(err)
		}
		send(t, nc, frame(3, 2, ""))
		receive(t, nc)
		if took := time.Since(begin); took < 100*time.Millisecond || took > 5*time.Second {
			t.Errorf("accepted again after %v", took)
		}
		if lines := strings.Count(r.log.String(), "cannot accept"); lines != 5 {
			t.Errorf("%d lines for 5 failures", lines)
		}
		_ = nc.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
