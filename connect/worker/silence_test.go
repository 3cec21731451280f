package worker_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect/worker"
)

// silenced is a cluster that can be cut off: from then on nothing that is sent
// arrives, and nobody says so.
type silenced struct {
	cluster.Profile
	cut atomic.Bool
}

func silence(profile cluster.Profile) *silenced {
	s := &silenced{Profile: profile}
	dial := profile.Dial
	s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if s.cut.Load() {
			return nil, errors.New("no route to host")
		}
		nc, err := dial(ctx, network, address)
		return &silencedConn{nc, s}, err
	}
	return s
}

type silencedConn struct {
	net.Conn
	s *silenced
}

func (c *silencedConn) Write(b []byte) (int, error) {
	if c.s.cut.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// A worker that has lost its cluster stops when it is told to: it cannot know
// whether the last positions that it wrote have arrived, and must not wait for
// ever to be told.
func TestWorkerStopsWithoutItsCluster(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.log"), filepath.Join(dir, "out.jsonl")
	appendFile(t, in, lines(0, 100))
	s := silence(fake(t))
	w, stop := start(t, worker.Config{Cluster: s.Profile})
	put(t, w, sourceProps(in))
	put(t, w, sinkProps(out))
	eventually(t, "100 lines in the target", func() bool { return len(rows(t, out)) >= 100 })
	s.cut.Store(true)
	appendFile(t, in, lines(100, 200))
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
	case <-time.After(2 * time.Minute):
		t.Fatal("the worker still waits for its cluster")
	}
}
