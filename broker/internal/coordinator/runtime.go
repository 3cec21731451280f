package coordinator

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/group"
)

// Runtime coordinates the groups of all partitions that this node leads. Its
// methods may be called from any goroutine. Make one with New, and let Run run.
type Runtime struct {
	opts Options

	mu     sync.RWMutex
	seats  map[int32]*seat
	count  int32 // partitions of __consumer_offsets
	closed bool

	loads alarm // a seat wants to be loaded
	clock alarm // a deadline is earlier than the one that is set
	due   deadline
}

// New returns a Runtime that leads nothing yet.
func New(opts Options) *Runtime {
	opts.setDefaults()
	return &Runtime{opts: opts, seats: map[int32]*seat{}, loads: newAlarm(), clock: newAlarm()}
}

// Lead makes this node the coordinator of a partition, of count in all, whose
// log is given. The shard is loaded by Run. A partition that is led already is
// led anew: the log is another leadership's.
func (r *Runtime) Lead(partition, count int32, log Log) {
	s := newSeat(partition, log)
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
func (r *Runtime) Resign(partition int32) {
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
// waited for: its groups are tried again each second, and the broker serves the
// rest.
func (r *Runtime) AwaitLoaded(ctx context.Context) error {
	for _, s := range r.all() {
		select {
		case <-s.loaded:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// seat finds who coordinates a group here.
func (r *Runtime) seat(id string) (*seat, *kerr.Error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.seats[group.PartitionFor(id, r.count)]
	switch {
	case r.closed:
		return nil, kerr.CoordinatorNotAvailable
	case s == nil:
		return nil, kerr.NotCoordinator
	}
	return s, nil
}

// all returns the seats in the order of their partitions.
func (r *Runtime) all() []*seat {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*seat, 0, len(r.seats))
	for _, partition := range slices.Sorted(maps.Keys(r.seats)) {
		list = append(list, r.seats[partition])
	}
	return list
}

// submit hands a request to the group it is for. One of reply and refuse is
// called once, without locks, before submit returns or later.
func submit[R any](r *Runtime, id string, refuse func(*kerr.Error) R, reply func(R), event func(*group.State, *group.Turn)) {
	s, err := r.seat(id)
	if err != nil {
		reply(refuse(err))
		return
	}
	out := s.do(time.Now(), id, event, call{
		answer: func(body any) { reply(body.(R)) },
		refuse: func(err *kerr.Error) { reply(refuse(err)) },
	})
	r.schedule(out.next)
	r.finish(s, out)
}

// schedule sees to it that a tick comes at that time, if not before.
func (r *Runtime) schedule(at time.Time) {
	if r.due.earlier(at) {
		r.clock.ring()
	}
}

// finish does what a seat left to be done without its lock.
func (r *Runtime) finish(s *seat, out outbox) {
	if out.failed != nil {
		r.opts.Logger.Error("consumer groups dropped, the log failed", "partition", s.partition, "err", out.failed)
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
