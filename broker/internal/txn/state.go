package txn

import (
	"math"
	"time"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// Options are the broker's settings for all transactional ids.
type Options struct {
	// MaxTimeout bounds what a producer may ask for (transaction.max.timeout.ms).
	MaxTimeout time.Duration
	// Expiration is how long an id outlives its last transaction
	// (transactional.id.expiration.ms).
	Expiration time.Duration
}

// markerRetry is how long markers that could not be written are left alone.
const markerRetry = 100 * time.Millisecond

// lastEpoch is the last epoch that a client is given: the one above it is
// left for the coordinator, which must always be able to fence.
const lastEpoch = math.MaxInt16 - 1

// State is one transactional id. Make one with New.
type State struct {
	id   string
	opts *Options
	// recorded says that the log knows the id; m is what it knows.
	recorded bool
	dead     bool
	m        Metadata
	// before is the producer that the last bump by Init replaced, when the
	// client had named it (KIP-360). It is known by the bump's retry.
	before turn.Producer
	// marking says that an Ending was handed out; retry is when to hand out
	// another.
	marking bool
	retry   time.Time
	early   []early
}

// New returns the state of an id that nobody knows.
func New(id string, opts *Options) *State {
	return &State{id: id, opts: opts, m: Metadata{Producer: NoProducer, Previous: none, Next: none}, before: NoProducer}
}

// ID is the transactional id.
func (s *State) ID() string { return s.id }

// Phase is where the id stands.
func (s *State) Phase() Phase {
	if s.dead {
		return Dead
	}
	return s.m.Phase
}

// Gone reports whether nothing is known of the id: the State need not be kept.
func (s *State) Gone() bool { return !s.recorded }

// Deadline is when the next Tick is wanted, zero for never.
func (s *State) Deadline() time.Time {
	switch {
	case !s.recorded:
		return time.Time{}
	case s.m.Phase == Ongoing:
		return s.m.Started.Add(s.m.Timeout)
	case len(s.early) > 0 && (s.retry.IsZero() || s.early[0].until.Before(s.retry)):
		return s.early[0].until
	case s.m.Phase.prepared():
		return s.retry
	default:
		return s.m.Updated.Add(s.opts.Expiration)
	}
}

// Tick does what has fallen due: it aborts a transaction whose time is over,
// asks for markers again, forgets an id that nobody uses.
func (s *State) Tick(t *turn.Turn) {
	at := s.Deadline()
	switch {
	case at.IsZero() || at.After(t.Now):
	case s.m.Phase == Ongoing:
		s.fence(t)
	case len(s.early) > 0 && !s.early[0].until.After(t.Now):
		s.admit(t, false)
	case s.m.Phase.prepared():
		s.mark(t)
	default:
		s.record(t, nil)
	}
}

// record appends a record to the turn and applies it: the only way in which
// live events change what lasts.
func (s *State) record(t *turn.Turn, m *Metadata) {
	if m != nil {
		m.Updated = stamp(t.Now)
	}
	rec := &Record{ID: s.id, Metadata: m}
	t.Records = append(t.Records, rec)
	s.Apply(rec, t.Now)
}

// Apply makes a record of this id true. On load it is called for every record
// of the log in order, with the time of the load.
func (s *State) Apply(rec *Record, now time.Time) {
	s.marking, s.retry = false, time.Time{}
	if rec.Metadata == nil {
		*s = *New(s.id, s.opts)
		s.dead = true
		return
	}
	s.recorded, s.dead = true, false
	s.m = *rec.Metadata
	if s.m.Phase.prepared() {
		s.retry = now // unless the event that decided it hands out the Ending
	}
}

// stamp is a time as the log keeps it.
func stamp(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// Describe answers a DescribeTransactions.
func (s *State) Describe(t *turn.Turn) {
	d := Description{Metadata: s.m}
	if !s.recorded {
		d.Err = errNotFound
	}
	t.Settle(d)
}

// Listing is the id as ListTransactions shows it.
func (s *State) Listing() Listing {
	return Listing{ID: s.id, Producer: s.m.Producer.ID, Phase: s.m.Phase, Started: s.m.Started}
}
