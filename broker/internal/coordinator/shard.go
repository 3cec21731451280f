package coordinator

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/internal/record"
)

// A machine is the state machine of one key of the log: a group, or a
// transactional id. It is pure.
type machine interface {
	ID() string
	// Deadline is when Tick is wanted, at the latest; zero means never.
	Deadline() time.Time
	Tick(*turn.Turn)
}

// A kind says what the machines of a log are.
type kind[S machine] struct {
	// name is what the machines are called in log lines.
	name string
	// expiry is how often machines are looked at for what nobody needs any
	// longer; zero means never.
	expiry time.Duration

	create func(id string) S
	// gone reports whether a machine need not be kept.
	gone func(S) bool
	// expire drops what is too old.
	expire func(S, *turn.Turn)
	// read decodes a record of the log. It returns errUnknownRecord, wrapped,
	// for what another version of the broker wrote.
	read func(key, value []byte) (entryRecord[S], error)
	// complete ends a producer's transaction in a machine that holds records
	// of it. Nil where no transaction reaches into the log.
	complete func(s S, producer int64, commit bool, now time.Time)
}

// An entryRecord is a decoded record with the machine that it is about.
type entryRecord[S machine] struct {
	id    string
	apply func(s S, p *turn.Producer, now time.Time)
}

// errUnknownRecord marks records that are passed over.
var errUnknownRecord = errors.New("unknown kind of record")

// Shard holds the machines of one partition. It is pure: one goroutine at a
// time, no clock, no lock. NewGroupShard and NewTransactionShard make one.
type Shard[S machine] struct {
	kind *kind[S]

	entries map[string]*entry[S]
	agenda  agenda[S]
	// open holds, for each producer with a transaction that reaches into this
	// log, the machines that have pending records of it.
	open map[int64]map[string]struct{}
	// expireAt is when machines are looked at for their age next. It is zero
	// while there is none.
	expireAt time.Time
	aging    []string // machines that this round has still to look at

	turn    turn.Turn
	builder record.Builder
	skipped int
}

// An entry is a machine with its place on the agenda.
type entry[S machine] struct {
	state S
	at    time.Time
	index int
}

func newShard[S machine](k *kind[S]) *Shard[S] {
	return &Shard[S]{kind: k, entries: map[string]*entry[S]{}, open: map[int64]map[string]struct{}{}}
}

// Do hands an event to a machine. One that is not there is made for the event,
// and kept if it is more than empty afterwards. The turn is valid until the
// next call.
func (s *Shard[S]) Do(now time.Time, request turn.Ticket, id string, event func(S, *turn.Turn)) *turn.Turn {
	e := s.entry(id)
	s.turn.Reset(now, request)
	event(e.state, &s.turn)
	if len(s.turn.Records) > 0 {
		s.opened(s.turn.Producer, id)
	}
	s.keep(e, now)
	return &s.turn
}

// entry finds a machine, or makes one that is not kept yet.
func (s *Shard[S]) entry(id string) *entry[S] {
	if e := s.entries[id]; e != nil {
		return e
	}
	return &entry[S]{state: s.kind.create(id)}
}

// keep holds on to a machine or forgets it, and puts it on the agenda.
func (s *Shard[S]) keep(e *entry[S], now time.Time) {
	id := e.state.ID()
	if s.kind.gone(e.state) {
		s.agenda.set(e, time.Time{})
		delete(s.entries, id)
		return
	}
	if s.entries[id] == nil {
		s.entries[id] = e
	}
	s.agenda.set(e, e.state.Deadline())
	if s.expireAt.IsZero() && s.kind.expiry > 0 {
		s.expireAt = now.Add(s.kind.expiry)
	}
}

// Deadline is when Tick is wanted next; zero means never.
func (s *Shard[S]) Deadline() time.Time {
	at := s.agenda.next()
	if at.IsZero() || (!s.expireAt.IsZero() && s.expireAt.Before(at)) {
		return s.expireAt
	}
	return at
}

// Tick does one thing that is due: the caller calls it again while Deadline
// has not moved into the future. So the records of a turn are those of one
// machine, and a lock over them is short.
func (s *Shard[S]) Tick(now time.Time) *turn.Turn {
	s.turn.Reset(now, 0)
	switch {
	case len(s.agenda) > 0 && !s.agenda[0].at.After(now):
		e := s.agenda[0]
		e.state.Tick(&s.turn)
		s.keep(e, now)
	case !s.expireAt.IsZero() && !s.expireAt.After(now):
		s.age(now)
	}
	return &s.turn
}

// age looks at one machine. When all have had their turn, the next round is an
// interval away.
func (s *Shard[S]) age(now time.Time) {
	if len(s.aging) == 0 {
		s.aging = s.ids()
	}
	if len(s.aging) > 0 {
		if e := s.entries[s.aging[0]]; e != nil {
			s.kind.expire(e.state, &s.turn)
			s.keep(e, now)
		}
		s.aging = s.aging[1:]
	}
	if len(s.aging) > 0 {
		return
	}
	s.expireAt = now.Add(s.kind.expiry)
	if len(s.entries) == 0 {
		s.expireAt = time.Time{}
	}
}

// Batch returns the records of a turn as the one batch to append, or nil where
// there are none. It is valid until the next call.
func (s *Shard[S]) Batch(t *turn.Turn) (record.Batch, error) {
	if len(t.Records) == 0 {
		return nil, nil
	}
	b := &s.builder
	if t.Producer != nil {
		b = transactional(t.Producer)
	}
	b.Reset()
	for _, rec := range t.Records {
		key, value := rec.Encode()
		b.Append(record.Record{Timestamp: t.Now.UnixMilli(), Key: key, Value: value})
	}
	return b.Build()
}

// transactional builds a batch in a producer's transaction. Its sequence says
// nothing, since the producer counts its own batches only: Kafka writes 0.
func transactional(p *turn.Producer) *record.Builder {
	var b record.Builder
	b.SetProducer(p.ID, p.Epoch, firstSequence)
	b.SetTransactional(true)
	return &b
}

const firstSequence = 0

// Load replays one batch of the log. Records of kinds that are not known here
// are passed over and counted: another version of the broker wrote them.
func (s *Shard[S]) Load(b record.Batch, now time.Time) error {
	var producer *turn.Producer
	if b.IsTransactional() {
		producer = &turn.Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch()}
	}
	for r, err := range b.Records() {
		if err != nil {
			return fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
		if b.IsControl() {
			if commit, ok := markerKind(r.Key); ok {
				s.Complete(b.ProducerID(), commit, now)
			}
			continue
		}
		rec, err := s.kind.read(r.Key, r.Value)
		switch {
		case errors.Is(err, errUnknownRecord):
			s.skipped++
			continue
		case err != nil:
			return fmt.Errorf("record at offset %d: %w", b.BaseOffset()+int64(r.OffsetDelta), err)
		}
		s.apply(rec, producer, now)
	}
	return nil
}

func (s *Shard[S]) apply(rec entryRecord[S], producer *turn.Producer, now time.Time) {
	e := s.entry(rec.id)
	rec.apply(e.state, producer, now)
	s.opened(producer, rec.id)
	s.keep(e, now)
}

// opened notes that a producer's transaction has reached a machine.
func (s *Shard[S]) opened(p *turn.Producer, id string) {
	if p == nil {
		return
	}
	ids := s.open[p.ID]
	if ids == nil {
		ids = map[string]struct{}{}
		s.open[p.ID] = ids
	}
	ids[id] = struct{}{}
}

// Complete ends a producer's transaction: the marker is in the log.
func (s *Shard[S]) Complete(producer int64, commit bool, now time.Time) {
	for _, id := range slices.Sorted(maps.Keys(s.open[producer])) {
		if e := s.entries[id]; e != nil && s.kind.complete != nil {
			s.kind.complete(e.state, producer, commit, now)
			s.keep(e, now)
		}
	}
	delete(s.open, producer)
}

// Len is the number of machines.
func (s *Shard[S]) Len() int { return len(s.entries) }

// All visits the machines in the order of their names.
func (s *Shard[S]) All() iter.Seq[S] {
	return func(yield func(S) bool) {
		for _, id := range s.ids() {
			if !yield(s.entries[id].state) {
				return
			}
		}
	}
}

func (s *Shard[S]) ids() []string { return slices.Sorted(maps.Keys(s.entries)) }
