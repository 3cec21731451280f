package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// State is what a connector or task does, as Kafka Connect names it.
type State string

// The states.
const (
	Unassigned State = "UNASSIGNED"
	Running    State = "RUNNING"
	Paused     State = "PAUSED"
	Failed     State = "FAILED"
	Stopped    State = "STOPPED"
)

// closeTimeout bounds what a task may still do once it is told to stop.
const closeTimeout = 10 * time.Second

// taskID names one task of one generation.
type taskID struct {
	connector  string
	index      int
	generation int64
	props      map[string]string
}

// runnable runs until ctx ends, and returns why it ended otherwise.
type runnable interface {
	run(ctx context.Context) error
}

// supervisor runs a task and starts it again when it fails:
//
//	RUNNING ─ error ─► FAILED ─ delay, or a restart asked for ─► RUNNING
//	           └ permanent, or attempts over ─► FAILED until a restart is asked for
type supervisor struct {
	id      taskID
	policy  connect.RestartPolicy
	worker  *Worker
	build   func(taskID, *slog.Logger) runnable
	restart chan struct{} // holds one request

	mu       sync.Mutex
	state    State
	trace    string
	restarts int
	last     time.Time // of the last restart
	next     time.Time // of the next attempt; zero is none
	cancel   context.CancelFunc
}

func newSupervisor(id taskID, policy connect.RestartPolicy, w *Worker, build func(taskID, *slog.Logger) runnable) *supervisor {
	return &supervisor{id: id, policy: policy, worker: w, build: build, restart: newSignal(), state: Unassigned}
}

func newSignal() chan struct{} { return make(chan struct{}, 1) }

func (s *supervisor) run(ctx context.Context) {
	log := s.worker.log.With("connector", s.id.connector, "task", s.id.index)
	b := backoff{policy: s.policy}
	for ctx.Err() == nil {
		started := time.Now()
		running, cancel := context.WithCancel(ctx)
		s.begin(cancel)
		err := protect(func() error { return s.build(s.id, log).run(running) })
		asked := running.Err() != nil
		cancel()
		if ctx.Err() != nil {
			break
		}
		if asked { // a restart, which is no failure
			s.drain()
			continue
		}
		delay, again := b.next(started, time.Now(), jitter())
		again = again && !connect.IsPermanent(err) && !isConfigError(err)
		s.fail(err, delay, again)
		log.Error("task failed", "err", err, "restarts", again, "delay", delay)
		if !s.rest(ctx, delay, again) {
			break
		}
		s.worker.metrics.restarts.WithLabelValues(s.id.connector).Inc()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = Unassigned
}

// rest waits for the next attempt; false means that ctx ended.
func (s *supervisor) rest(ctx context.Context, delay time.Duration, again bool) bool {
	var due <-chan time.Time
	if again {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-due:
	case <-s.restart:
	}
	return true
}

func (s *supervisor) begin(cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Failed {
		s.restarts++
		s.last = time.Now()
	}
	s.state, s.trace, s.next, s.cancel = Running, "", time.Time{}, cancel
}

func (s *supervisor) fail(err error, delay time.Duration, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.cancel = Failed, nil
	if err != nil {
		s.trace = err.Error()
	} else {
		s.trace = "the task ended by itself"
	}
	if again {
		s.next = time.Now().Add(delay)
	}
}

// again starts the task anew, now.
func (s *supervisor) again() {
	select {
	case s.restart <- struct{}{}:
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// drain takes back a request that the cancelled run has answered.
func (s *supervisor) drain() {
	select {
	case <-s.restart:
	default:
	}
}

func (s *supervisor) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == Failed
}
