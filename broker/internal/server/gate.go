package server

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Limits bound the number of connections; they may change while the server
// runs.
type Limits struct {
	// Connections bounds those of all listeners (max.connections); 0 for no
	// bound.
	Connections int
	// PerIP bounds those of one address (max.connections.per.ip); 0 for no
	// bound.
	PerIP int
	// Overrides replaces PerIP for single addresses; 0 lets none in.
	Overrides map[string]int
}

// perIP is the bound for one address; ok is false where there is none.
func (l Limits) perIP(address string) (limit int, ok bool) {
	if limit, ok = l.Overrides[address]; ok {
		return limit, true
	}
	return l.PerIP, l.PerIP > 0
}

// Gate counts new connections against rates (KIP-612).
type Gate interface {
	// Accept counts one and returns how long none may be accepted after it.
	Accept(now time.Time) time.Duration
	// Connect counts one of an address and returns for how long it is to be
	// held before it is closed; 0 lets it in.
	Connect(address string, now time.Time) time.Duration
}

// open is the Gate that lets everyone in.
type open struct{}

func (open) Accept(time.Time) time.Duration          { return 0 }
func (open) Connect(string, time.Time) time.Duration { return 0 }

// admit counts a connection in, unless there are too many.
func (s *Server) admit(c *conn) *CloseError {
	limits, address := s.cfg.Limits(), c.address()
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit := limits.Connections; limit > 0 && len(s.conns) >= limit {
		return refuse(TooManyConnections, "%d connections (max.connections)", limit)
	}
	if limit, ok := limits.perIP(address); ok && s.perIP[address] >= limit {
		return refuse(TooManyConnections, "%d connections of %s (max.connections.per.ip)", limit, address)
	}
	s.conns[c] = struct{}{}
	s.perIP[address]++
	return nil
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	address := c.address()
	delete(s.conns, c)
	if s.perIP[address]--; s.perIP[address] == 0 {
		delete(s.perIP, address)
	}
}

// hold closes a connection that came too soon, after a while: one that is
// closed at once comes again at once. It counts as a connection until then.
func (s *Server) hold(ctx context.Context, c *conn, pause time.Duration, serving *sync.WaitGroup) {
	serving.Go(func() {
		defer s.forget(c)
		defer c.end(refuse(TooFastConnections, "%s connects more often than its connection_creation_rate", c.address()))
		sleep(ctx, min(pause, maxHold))
	})
}

// maxHold bounds how long a connection is held: it takes a descriptor.
const maxHold = 30 * time.Second

// address is the client's, without the slash that Kafka shows before it.
func (c *conn) address() string { return strings.TrimPrefix(c.client, "/") }
