package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Options are the broker's settings for all groups.
type Options struct {
	// InitialRebalanceDelay gives the first members of an empty group time to
	// arrive together (group.initial.rebalance.delay.ms).
	InitialRebalanceDelay time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what a member may ask for.
	MinSessionTimeout time.Duration
	MaxSessionTimeout time.Duration
	// MaxSize bounds the members of a group; 0 means no bound.
	MaxSize int
	// OffsetRetention is how long offsets outlive their group or subscription.
	OffsetRetention time.Duration
	// MaxMetadata bounds the metadata string of a commit, in bytes.
	MaxMetadata int
	// Consumer are the settings of groups of the consumer protocol.
	Consumer ConsumerOptions
	// Topics gives the topics as they are when it is called, and a number that
	// differs whenever they may have changed. Nil means that there are none.
	Topics func() (Topics, uint64)
	// NewMemberID makes a member id that never was and never will be. The
	// prefix is the client id or the instance id.
	NewMemberID func(prefix string) string
}

// State is one group. Make one with [New].
type State struct {
	id   string
	opts *Options

	phase Phase
	// since is when the phase was recorded last. Offsets of an empty group
	// expire by it (KIP-211).
	since        time.Time
	generation   int32
	protocolType string // opaque: consumer, connect, sr, mirror
	protocol     string // what all members of this generation speak; "" while Empty
	leader       string // member id
	recorded     bool   // the log holds metadata of this group

	members roster
	// pending are member ids handed out by MEMBER_ID_REQUIRED and not yet used
	// (KIP-394), with the time they are given up. A rebalance waits for them.
	pending map[string]time.Time

	// joinBy ends PreparingRebalance, whoever is missing.
	joinBy time.Time
	// initial is set while the first rebalance of an empty group waits for
	// members that nobody has heard of.
	initial *initialWait
	// syncBy is when members that joined but never asked for their assignment
	// are removed. Zero when all have asked.
	syncBy time.Time

	offsets offsets
	// unstable are the offsets committed in transactions that are open yet, by
	// producer id.
	unstable unstable
	// records counts those of offsets, which orders them.
	records int64

	// consumer is set while the group is one of the consumer protocol
	// (KIP-848). What is above, but for the offsets, is then empty.
	consumer *consumerGroup

	// wake is a lower bound of all deadlines above and of all sessions.
	wake time.Time
}

// New returns an empty group.
func New(id string, opts *Options) *State {
	return &State{id: id, opts: opts, members: newRoster(), pending: map[string]time.Time{}, offsets: offsets{}, unstable: unstable{}}
}

// ID is the group id.
func (s *State) ID() string { return s.id }

// Phase is where the group stands.
func (s *State) Phase() Phase {
	if s.consumer != nil {
		return s.consumer.phase()
	}
	return s.phase
}

// Gone reports whether the group need not be kept.
func (s *State) Gone() bool {
	return s.Vacant() || s.consumer == nil && s.phase == Dead
}

// Members is how many members the group has.
func (s *State) Members() int { return s.members.size() }

// Vacant reports whether nothing is known of the group. Events at a vacant
// State are answered as Kafka answers for a group that does not exist; one that
// is vacant afterwards need not be kept.
func (s *State) Vacant() bool {
	return s.consumer == nil && s.phase == Empty && !s.recorded && s.generation == 0 &&
		len(s.pending) == 0 && s.members.size() == 0 && s.offsets.count() == 0 && len(s.unstable) == 0
}

// Deadline is when the next Tick is wanted: at the latest when something falls
// due, possibly earlier. Zero means never.
func (s *State) Deadline() time.Time { return s.wake }

// arm takes a new deadline into account.
func (s *State) arm(at time.Time) {
	if s.wake.IsZero() || at.Before(s.wake) {
		s.wake = at
	}
}

// record appends a record to the turn and applies it: the only way in which
// live events change what lasts.
func (s *State) record(t *Turn, rec Record) {
	t.Records = append(t.Records, rec)
	s.Apply(rec, t.Now)
}

// Apply makes a record of this group true. On load it is called for every
// record of the log in order, with the time of the load: sessions of the
// members found there begin anew.
func (s *State) Apply(rec Record, now time.Time) {
	switch rec := rec.(type) {
	case *OffsetRecord:
		s.records++
		s.offsets.apply(rec, s.records)
	case *MetadataRecord:
		if s.consumer == nil || rec.Metadata != nil {
			s.consumer = nil
			s.applyMetadata(rec.Metadata, now)
		}
	case consumerRecord:
		s.applyConsumer(rec, now)
	}
}

func (s *State) applyMetadata(m *Metadata, now time.Time) {
	s.joinBy, s.initial = time.Time{}, nil
	if m == nil {
		s.phase, s.recorded = s.remains(), false
		s.generation, s.protocolType, s.protocol, s.leader = 0, "", "", ""
		s.members = newRoster()
		return
	}
	s.recorded = true
	s.since = m.Since
	s.generation = m.Generation
	s.protocolType, s.protocol, s.leader = m.ProtocolType, m.Protocol, m.Leader
	s.phase = Stable
	if len(m.Members) == 0 {
		s.phase = Empty
	}
	s.members.apply(m)
	for _, member := range s.members.order {
		if member.deadline.IsZero() {
			s.touch(member, now)
		}
	}
}

// remains is the phase of a group whose members the log has forgotten: it is
// kept for its offsets, those of open transactions included.
func (s *State) remains() Phase {
	if s.offsets.count() == 0 && len(s.unstable) == 0 {
		return Dead
	}
	return Empty
}

// touch begins a member's session anew.
func (s *State) touch(m *member, now time.Time) {
	m.deadline = now.Add(m.sessionTimeout)
	s.arm(m.deadline)
}

// identify finds the member that a request speaks for. A static member is
// known by its instance; another member id under the same instance means that
// a newer process has taken its place (KIP-345).
func (s *State) identify(memberID string, instance *string) (*member, *kerr.Error) {
	if s.id == "" { // members need a group with a name, offsets do not
		return nil, kerr.InvalidGroupID
	}
	if name := deref(instance); name != "" {
		m := s.members.byInstance[name]
		switch {
		case m == nil:
			return nil, kerr.UnknownMemberID
		case m.id != memberID:
			return nil, kerr.FencedInstanceID
		}
		return m, nil
	}
	if m := s.members.byID[memberID]; m != nil {
		return m, nil
	}
	return nil, kerr.UnknownMemberID
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
