package coordinator

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/internal/record"
)

// Shard holds the groups of one partition. It is pure: one goroutine at a
// time, no clock, no lock. Make one with NewShard.
type Shard struct {
	opts  *Options
	group group.Options

	groups map[string]*entry
	agenda agenda
	// expireAt is when offsets are looked at for their age next. It is zero
	// while there is no group.
	expireAt time.Time
	aging    []string // groups that this round has still to look at

	turn    group.Turn
	builder record.Builder
	skipped int
}

// An entry is a group with its place on the agenda.
type entry struct {
	state *group.State
	at    time.Time
	index int
}

// NewShard returns a shard without groups.
func NewShard(opts *Options) *Shard {
	return &Shard{opts: opts, group: opts.Group, groups: map[string]*entry{}}
}

// Do hands an event to a group. A group that is not there is made for the
// event, and kept if it is more than empty afterwards. The turn is valid until
// the next call.
func (s *Shard) Do(now time.Time, request group.Ticket, id string, event func(*group.State, *group.Turn)) *group.Turn {
	e := s.groups[id]
	if e == nil {
		e = &entry{state: group.New(id, &s.group)}
	}
	s.turn.Reset(now, request)
	event(e.state, &s.turn)
	s.keep(e, now)
	return &s.turn
}

// keep holds on to a group or forgets it, and puts it on the agenda.
func (s *Shard) keep(e *entry, now time.Time) {
	id := e.state.ID()
	if e.state.Vacant() || e.state.Phase() == group.Dead {
		s.agenda.set(e, time.Time{})
		delete(s.groups, id)
		return
	}
	if s.groups[id] == nil {
		s.groups[id] = e
	}
	s.agenda.set(e, e.state.Deadline())
	if s.expireAt.IsZero() {
		s.expireAt = now.Add(s.opts.ExpiryInterval)
	}
}

// Deadline is when Tick is wanted next; zero means never.
func (s *Shard) Deadline() time.Time {
	at := s.agenda.next()
	if at.IsZero() || (!s.expireAt.IsZero() && s.expireAt.Before(at)) {
		return s.expireAt
	}
	return at
}

// Tick does one thing that is due: the caller calls it again while Deadline
// has not moved into the future. So the records of a turn are those of one
// group, and a lock over them is short.
func (s *Shard) Tick(now time.Time) *group.Turn {
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

// age looks at the offsets of one group. When all have had their turn, the
// next round is an interval away.
func (s *Shard) age(now time.Time) {
	if len(s.aging) == 0 {
		s.aging = s.ids()
	}
	if len(s.aging) > 0 {
		if e := s.groups[s.aging[0]]; e != nil {
			e.state.ExpireOffsets(&s.turn)
			s.keep(e, now)
		}
		s.aging = s.aging[1:]
	}
	if len(s.aging) > 0 {
		return
	}
	s.expireAt = now.Add(s.opts.ExpiryInterval)
	if len(s.groups) == 0 {
		s.expireAt = time.Time{}
	}
}

// Batch returns the records of a turn as the one batch to append, or nil where
// there are none. It is valid until the next call.
func (s *Shard) Batch(t *group.Turn) (record.Batch, error) {
	if len(t.Records) == 0 {
		return nil, nil
	}
	s.builder.Reset()
	for _, rec := range t.Records {
		key, value := rec.Encode()
		s.builder.Append(record.Record{Timestamp: t.Now.UnixMilli(), Key: key, Value: value})
	}
	return s.builder.Build()
}

// Load replays one batch of the log. Records of kinds that are not known here
// are passed over and counted: another version of the broker wrote them.
func (s *Shard) Load(b record.Batch, now time.Time) error {
	if b.IsControl() {
		return nil // a transaction's marker says nothing about groups
	}
	for r, err := range b.Records() {
		if err != nil {
			return fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
		rec, err := group.Decode(r.Key, r.Value)
		switch {
		case errors.Is(err, group.ErrUnknownRecord):
			s.skipped++
			continue
		case err != nil:
			return fmt.Errorf("record at offset %d: %w", b.BaseOffset()+int64(r.OffsetDelta), err)
		}
		s.apply(rec, now)
	}
	return nil
}

func (s *Shard) apply(rec group.Record, now time.Time) {
	id := rec.GroupID()
	e := s.groups[id]
	if e == nil {
		e = &entry{state: group.New(id, &s.group)}
	}
	e.state.Apply(rec, now)
	s.keep(e, now)
}

// Len is the number of groups.
func (s *Shard) Len() int { return len(s.groups) }

// Groups visits the groups in the order of their names.
func (s *Shard) Groups() iter.Seq[*group.State] {
	return func(yield func(*group.State) bool) {
		for _, id := range s.ids() {
			if !yield(s.groups[id].state) {
				return
			}
		}
	}
}

func (s *Shard) ids() []string { return slices.Sorted(maps.Keys(s.groups)) }
