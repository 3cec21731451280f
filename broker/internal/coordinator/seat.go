package coordinator

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// A call is a request on its way: how it is answered, and how it is refused.
type call struct {
	// admit says under the seat's lock why the request is refused, nil where
	// nothing can be wrong.
	admit  func(Log) *kerr.Error
	answer func(body any)
	refuse func(*kerr.Error)
}

// A seat is one partition that this node leads, with its shard when loaded.
type seat[S machine] struct {
	partition int32
	log       Log

	mu     sync.Mutex
	shard  *Shard[S]     // nil while it loads, and when the seat is given up
	loaded chan struct{} // closed when the first load has ended, or the seat is given up
	gone   bool          // leadership was given up
	// term counts the shards that sat here. What was asked of the log for
	// another one does not concern this one.
	term uint64

	// act takes an effect when the log has committed all before it.
	act func(effect any)

	tickets turn.Ticket
	parked  map[turn.Ticket]call // wait for other members
	held    []heldReply          // wait for the log, in the order of offsets
	last    int64                // of the last record appended or replayed; -1 for none
	settled int64                // the high watermark is known to have passed this
	awaited int64                // the log was asked to tell when it passes this
}

type heldReply struct {
	offset int64
	call   call
	body   any
}

func newSeat[S machine](partition int32, log Log) *seat[S] {
	return &seat[S]{
		partition: partition, log: log, act: func(any) {}, loaded: make(chan struct{}), parked: map[turn.Ticket]call{},
	}
}

// An outbox is what is to be done when the seat's lock is released.
type outbox struct {
	replies []func()
	await   bool
	offset  int64
	term    uint64
	next    time.Time // the shard's deadline
	failed  error     // the shard was dropped for this
}

func (o *outbox) reply(c call, body any) {
	o.replies = append(o.replies, func() { c.answer(body) })
}

func (o *outbox) refuse(c call, err *kerr.Error) {
	o.replies = append(o.replies, func() { c.refuse(err) })
}

// do hands a request to the shard.
func (s *seat[S]) do(now time.Time, id string, event func(S, *turn.Turn), c call) outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out outbox
	if s.shard == nil {
		err := kerr.CoordinatorLoadInProgress
		if s.gone {
			err = kerr.NotCoordinator
		}
		out.refuse(c, err)
		return out
	}
	if c.admit != nil {
		if err := c.admit(s.log); err != nil {
			out.refuse(c, err)
			return out
		}
	}
	s.tickets++
	s.parked[s.tickets] = c
	s.take(s.shard.Do(now, s.tickets, id, event), &out)
	return out
}

// tell hands an event to the shard that nobody waits for.
func (s *seat[S]) tell(now time.Time, id string, event func(S, *turn.Turn)) outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out outbox
	if s.shard != nil {
		s.take(s.shard.Do(now, 0, id, event), &out)
	}
	return out
}

// tick does one thing that is due. It reports false when nothing is.
func (s *seat[S]) tick(now time.Time) (outbox, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out outbox
	if s.shard == nil {
		return out, false
	}
	out.next = s.shard.Deadline()
	if out.next.IsZero() || out.next.After(now) {
		return out, false
	}
	s.take(s.shard.Tick(now), &out)
	return out, true
}

// take appends what a turn decided and sorts its replies: those that leave
// now, and those that wait for the log.
func (s *seat[S]) take(t *turn.Turn, out *outbox) {
	if err := s.append(t); err != nil {
		s.drop(err, out)
		return
	}
	for _, r := range t.Replies {
		c, ok := s.parked[r.To]
		if !ok {
			continue // of a request before a drop
		}
		delete(s.parked, r.To)
		if r.Settled {
			s.settle(c, r.Body, out)
		} else {
			out.reply(c, r.Body)
		}
	}
	for _, effect := range t.Effects {
		s.settle(call{answer: s.act, refuse: func(*kerr.Error) {}}, effect, out)
	}
	s.await(out)
	out.next = s.shard.Deadline()
}

// settle hands out a body when the log has committed what was appended so far.
func (s *seat[S]) settle(c call, body any, out *outbox) {
	if s.last > s.settled {
		s.held = append(s.held, heldReply{s.last, c, body})
	} else {
		out.reply(c, body)
	}
}

// await asks the log to tell when it has committed what is waited for.
func (s *seat[S]) await(out *outbox) {
	if len(s.held) > 0 && s.last > s.awaited {
		s.awaited = s.last
		out.await, out.offset, out.term = true, s.last, s.term
	}
}

func (s *seat[S]) append(t *turn.Turn) error {
	batch, err := s.shard.Batch(t)
	if err != nil || batch == nil {
		return err
	}
	last, err := s.log.Append(batch)
	if err == nil {
		s.last = last
	}
	return err
}

// mark writes the marker that ends a producer's transaction, and ends it in the
// shard's machines. A marker that is refused leaves both as they were.
func (s *seat[S]) mark(now time.Time, m Marker, done func(error)) outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out outbox
	if s.shard == nil {
		out.replies = append(out.replies, func() { done(kerr.CoordinatorLoadInProgress) })
		return out
	}
	last, err := s.log.Mark(m)
	if err != nil {
		out.replies = append(out.replies, func() { done(err) })
		return out
	}
	s.last = last
	s.shard.Complete(m.ProducerID, m.Commit, now)
	s.settle(call{answer: func(any) { done(nil) }, refuse: func(err *kerr.Error) { done(err) }}, nil, &out)
	s.await(&out)
	out.next = s.shard.Deadline()
	return out
}

// passed takes the news that the high watermark has passed an offset, or never
// will.
func (s *seat[S]) passed(term uint64, offset int64, err error) outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out outbox
	switch {
	case s.term != term || s.shard == nil:
	case err != nil:
		s.drop(err, &out)
	default:
		s.settled = max(s.settled, offset)
		for len(s.held) > 0 && s.held[0].offset <= s.settled {
			out.reply(s.held[0].call, s.held[0].body)
			s.held = s.held[1:]
		}
	}
	return out
}

// drop gives up the shard and refuses all that waits in it.
func (s *seat[S]) drop(err error, out *outbox) {
	why := refusal(err)
	for _, h := range s.held {
		out.refuse(h.call, why)
	}
	for _, c := range s.parked {
		out.refuse(c, why)
	}
	s.shard, s.held = nil, nil
	clear(s.parked)
	s.term++
	out.failed, out.next = err, time.Time{}
}

// resign gives up the seat for good.
func (s *seat[S]) resign(err error) outbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out outbox
	s.gone = true
	s.drop(err, &out)
	out.failed = nil // nobody is to load it again
	s.opened()
	return out
}

// install seats a shard that was loaded up to the last offset of the log, if
// the seat was not given up meanwhile, and returns when it wants a tick.
func (s *seat[S]) install(shard *Shard[S], last int64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return time.Time{}
	}
	s.shard = shard
	s.last, s.settled, s.awaited = last, -1, -1
	s.opened()
	return shard.Deadline()
}

// tried notes that a load has failed.
func (s *seat[S]) tried() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened()
}

// opened tells those who wait for the first load that it is over. The caller
// holds mu.
func (s *seat[S]) opened() {
	select {
	case <-s.loaded:
	default:
		close(s.loaded)
	}
}
