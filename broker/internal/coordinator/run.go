package coordinator

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/internal/record"
)

// Run loads the shards of partitions that this node comes to lead, and ticks
// their machines, until ctx ends. Then it refuses all that waits and all that
// comes. It returns ctx's error.
func (r *Runtime[S]) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { r.load(ctx) })
	running.Go(func() { r.tick(ctx) })
	running.Wait()
	r.close()
	return ctx.Err()
}

func (r *Runtime[S]) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for _, s := range r.all() {
		r.finish(s, s.resign(errClosed))
	}
}

// errClosed refuses with COORDINATOR_NOT_AVAILABLE: another node may take over.
var errClosed = errors.New("the coordinator is closing")

// load loads what is not, again and again while some cannot be.
func (r *Runtime[S]) load(ctx context.Context) {
	retry := time.NewTimer(retryLoad)
	defer retry.Stop()
	for {
		if r.loadAll(ctx) {
			retry.Stop()
		} else {
			retry.Reset(retryLoad)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.loads:
		case <-retry.C:
		}
	}
}

// loadAll reports whether no seat is left without its shard.
func (r *Runtime[S]) loadAll(ctx context.Context) bool {
	all := true
	for _, s := range r.all() {
		if ctx.Err() != nil {
			return true
		}
		if s.vacant() && !r.loadOne(ctx, s) {
			all = false
		}
	}
	return all
}

// vacant reports whether the seat waits for a shard.
func (s *seat[S]) vacant() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shard == nil && !s.gone
}

func (r *Runtime[S]) loadOne(ctx context.Context, s *seat[S]) bool {
	begin := time.Now()
	shard, last := newShard(&r.kind), int64(-1)
	err := s.log.Replay(func(b record.Batch) error {
		last = b.LastOffset()
		if err := ctx.Err(); err != nil {
			return err
		}
		return shard.Load(b, begin)
	})
	if err != nil {
		r.logger.Error("a shard cannot be loaded", "of", r.kind.name, "partition", s.partition, "err", err, "retry", retryLoad)
		s.tried()
		return false
	}
	if n := shard.Len(); n > 0 {
		r.logger.Info("shard loaded", "of", r.kind.name, "partition", s.partition, "count", n,
			"skipped", shard.skipped, "took", time.Since(begin))
	}
	r.schedule(s.install(shard, last))
	return true
}

// tick sleeps until the earliest deadline and does what is due.
func (r *Runtime[S]) tick(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		next := r.tickAll(time.Now())
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return
		case <-r.clock:
		case <-timer.C:
		}
	}
}

// tickAll does all that is due and returns the earliest deadline that is left.
func (r *Runtime[S]) tickAll(now time.Time) time.Time {
	r.due.clear()
	for _, s := range r.all() {
		for {
			out, more := s.tick(now)
			r.due.earlier(out.next)
			r.finish(s, out)
			if !more {
				break
			}
		}
	}
	return r.due.time()
}

// An alarm wakes one goroutine. Ringing it again before it woke is once.
type alarm chan struct{}

func newAlarm() alarm { return make(alarm, 1) }

func (a alarm) ring() {
	select {
	case a <- struct{}{}:
	default:
	}
}

// deadline is the earliest of those it was told of since it was cleared.
type deadline struct{ nanos atomic.Int64 }

func (d *deadline) clear() { d.nanos.Store(0) }

// earlier takes a time into account and reports whether it is the earliest.
func (d *deadline) earlier(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	at := t.UnixNano()
	for {
		now := d.nanos.Load()
		if now != 0 && now <= at {
			return false
		}
		if d.nanos.CompareAndSwap(now, at) {
			return true
		}
	}
}

func (d *deadline) time() time.Time {
	if nanos := d.nanos.Load(); nanos != 0 {
		return time.Unix(0, nanos)
	}
	return time.Time{}
}
