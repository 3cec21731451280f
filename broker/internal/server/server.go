package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Server serves the connections of its listeners.
type Server struct {
	cfg      Config
	handler  Handler
	pool     pool
	queued   *semaphore.Weighted // bytes of frames in flight
	wides    wides
	refusals refusals

	mu    sync.Mutex
	conns map[*conn]struct{}
	perIP map[string]int
}

// Listener is a bound listener and the name by which the cluster's metadata
// knows it: clients are told the addresses that brokers advertise under it.
type Listener struct {
	Name string
	net.Listener
}

// New returns a server. It does nothing until Serve.
func New(cfg Config, handler Handler) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:      cfg,
		handler:  handler,
		queued:   semaphore.NewWeighted(cfg.MaxQueuedBytes),
		refusals: refusals{logger: cfg.Logger, metrics: cfg.Metrics, last: map[Reason]*refusal{}},
		conns:    map[*conn]struct{}{},
		perIP:    map[string]int{},
	}
	s.wides = wides{pool: &s.pool, left: semaphore.NewWeighted(cfg.MaxQueuedBytes / 4)}
	return s
}

// Serve accepts connections until ctx ends, then drains them and returns when
// all are closed. It closes the listeners. An error is a listener's that
// failed for good.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) error {
	// Connections outlive ctx until they are drained.
	connCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var accepting, serving sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() {
			if err := s.accept(ctx, connCtx, l, &serving); err != nil {
				fail(err)
			}
		})
	}
	<-ctx.Done()
	for _, l := range listeners {
		_ = l.Close() // Ends accept; a second close is harmless.
	}
	accepting.Wait()
	s.drain(&serving, stop)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// accept runs one listener.
func (s *Server) accept(ctx, connCtx context.Context, l Listener, serving *sync.WaitGroup) error {
	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of file descriptors, most likely: it passes.
			pause = min(max(2*pause, 10*time.Millisecond), time.Second)
			s.cfg.Logger.Error("cannot accept", "listener", l.Name, "error", err, "retry_in", pause)
			sleep(ctx, pause)
			continue
		}
		c := newConn(connCtx, s, nc, l.Name)
		if refusal := s.admit(c); refusal != nil {
			c.end(refusal)
			continue
		}
		now := time.Now()
		if pause := s.cfg.Gate.Connect(c.address(), now); pause > 0 {
			s.hold(ctx, c, pause, serving)
			continue
		}
		s.cfg.Metrics.Opened(l.Name)
		serving.Go(func() {
			defer s.cfg.Metrics.Closed(l.Name)
			defer s.forget(c)
			c.run()
		})
		sleep(ctx, s.cfg.Gate.Accept(now))
	}
}

// drain lets connections finish and closes those that do not.
func (s *Server) drain(serving *sync.WaitGroup, stop context.CancelFunc) {
	s.mu.Lock()
	for c := range s.conns {
		c.drain()
	}
	s.mu.Unlock()
	drained := make(chan struct{})
	go func() {
		serving.Wait()
		close(drained)
	}()
	limit := time.NewTimer(s.cfg.DrainTimeout)
	defer limit.Stop()
	select {
	case <-drained:
		return
	case <-limit.C:
	}
	stop()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.nc.Close() // Ends a write that its client does not take.
	}
	s.mu.Unlock()
	<-drained
}

// Connections is the number of connections that are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
