package coordinator

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// Runtime runs the shards of all partitions that this node leads. Its methods
// may be called from any goroutine. It is part of Groups and of Transactions.
type Runtime[S machine] struct {
	kind   kind[S]
	logger *slog.Logger
	// act takes the effects of a seat's machines.
	act func(s *seat[S], effect any)

	mu     sync.RWMutex
	seats  map[int32]*seat[S]
	count  int32 // partitions of the topic
	closed bool

	loads alarm // a seat wants to be loaded
	clock alarm // a deadline is earlier than the one that is set
	due   deadline
}

func newRuntime[S machine](k kind[S], logger *slog.Logger) *Runtime[S] {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Runtime[S]{
		kind: k, logger: logger, act: func(*seat[S], any) {},
		seats: map[int32]*seat[S]{}, loads: newAlarm(), clock: newAlarm(),
	}
}

// Lead makes this node the coordinator of a partition, of count in all, whose
// log is given. The shard is loaded by Run. A partition that is led already is
// led anew: the log is another leadership's.
func (r *Runtime[S]) Lead(partition, count int32, log Log) {
	s := newSeat[S](partition, log)
	s.act = func(effect any) { r.act(s, effect) }
	r.mu.Lock()
	before := r.seats[partition]
	r.seats[partition] = s
	r.count = count
	closed := r.closed
	r.mu.Unlock()
	if before != nil {
		r.finish(before, before.resign(ErrNotLeader))
	}
	if closed {
		r.finish(s, s.resign(ErrNotLeader))
		return
	}
	r.loads.ring()
}

// Resign gives up a partition: what waits there is answered NOT_COORDINATOR.
func (r *Runtime[S]) Resign(partition int32) {
	r.mu.Lock()
	s := r.seats[partition]
	delete(r.seats, partition)
	r.mu.Unlock()
	if s != nil {
		r.finish(s, s.resign(ErrNotLeader))
	}
}

// AwaitLoaded returns when all partitions led at the time of the call have
// been loaded, or when ctx ends. A partition whose log cannot be read is not
// waited for: it is tried again each second, and the broker serves the
// rest.
func (r *Runtime[S]) AwaitLoaded(ctx context.Context) error {
	for _, s := range r.all() {
		select {
		case <-s.loaded:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// seat finds who coordinates a key here.
func (r *Runtime[S]) seat(id string) (*seat[S], *kerr.Error) {
	r.mu.RLock()
	partition := PartitionFor(id, r.count)
	r.mu.RUnlock()
	return r.at(partition)
}

func (r *Runtime[S]) at(partition int32) (*seat[S], *kerr.Error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.seats[partition]
	switch {
	case r.closed:
		return nil, kerr.CoordinatorNotAvailable
	case s == nil:
		return nil, kerr.NotCoordinator
	}
	return s, nil
}

// all returns the seats in the order of their partitions.
func (r *Runtime[S]) all() []*seat[S] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*seat[S], 0, len(r.seats))
	for _, partition := range slices.Sorted(maps.Keys(r.seats)) {
		list = append(list, r.seats[partition])
	}
	return list
}

// submit hands a request to the machine it is for. reply is called once, with
// the machine's answer or what refuse makes of an error, without locks, before
// submit returns or later.
func submit[S machine, R any](r *Runtime[S], id string, refuse func(*kerr.Error) R, reply func(R), event func(S, *turn.Turn)) {
	submitIf(r, id, nil, refuse, reply, event)
}

// submitIf is submit under a condition that holds while the machine decides.
func submitIf[S machine, R any](r *Runtime[S], id string, admit func(Log) *kerr.Error, refuse func(*kerr.Error) R, reply func(R), event func(S, *turn.Turn)) {
	s, err := r.seat(id)
	if err != nil {
		reply(refuse(err))
		return
	}
	out := s.do(time.Now(), id, event, call{
		admit:  admit,
		answer: func(body any) { reply(body.(R)) },
		refuse: func(err *kerr.Error) { reply(refuse(err)) },
	})
	r.schedule(out.next)
	r.finish(s, out)
}

// schedule sees to it that a tick comes at that time, if not before.
func (r *Runtime[S]) schedule(at time.Time) {
	if r.due.earlier(at) {
		r.clock.ring()
	}
}

// finish does what a seat left to be done without its lock.
func (r *Runtime[S]) finish(s *seat[S], out outbox) {
	if out.failed != nil {
		r.logger.Error("a shard was dropped, its log failed", "of", r.kind.name, "partition", s.partition, "err", out.failed)
		r.loads.ring()
	}
	for _, reply := range out.replies {
		reply()
	}
	if out.await {
		s.log.Await(out.offset, func(err error) {
			r.finish(s, s.passed(out.term, out.offset, err))
		})
	}
}
