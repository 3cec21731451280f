package replica

import (
	"slices"
	"strconv"
)

// Role is what a replica is to its partition.
type Role uint8

// The roles. A replica is Idle until the metadata log has said who leads, and
// again when nobody does.
//
//	event                        Idle      Follower   Leader
//	---------------------------  --------  ---------  -----------------------
//	assigned to itself, epoch e  Leader    Leader     new epoch, goes on
//	assigned to another          Follower  Follower   resigns: Follower
//	assigned to nobody           Idle      Idle       resigns: Idle
//	appended, flushed            -         -          the high watermark moves
const (
	Idle Role = iota
	Follower
	Leader
)

// String returns the role's name.
func (r Role) String() string {
	switch r {
	case Idle:
		return "idle"
	case Follower:
		return "follower"
	case Leader:
		return "leader"
	default:
		return "role(" + strconv.Itoa(int(r)) + ")"
	}
}

// NoLeader is the leader of a partition that has none.
const NoLeader = -1

// Leadership is what the metadata log says about who serves a partition. The
// slices are not changed after they were handed over.
type Leadership struct {
	Leader         int32 // NoLeader for none
	LeaderEpoch    int32 // grows with every change of leader
	PartitionEpoch int32 // grows with every change at all
	Replicas       []int32
	ISR            []int32
}

// Positions are the offsets that one replica knows.
type Positions struct {
	Start         int64 // first offset of the log
	End           int64 // offset of the next record (LEO)
	Flushed       int64 // everything below is durable here (FLEO)
	HighWatermark int64 // everything below is committed
}

// Effects are what an event asks of the shell, in this order.
type Effects struct {
	// Resigned: whoever waits for the partition is told that it moved.
	Resigned bool
	// Leads: a new leader epoch begins at the log's end. What the log holds is
	// to be flushed, and waiters are let in.
	Leads bool
	// Raised: the high watermark has moved.
	Raised bool
}

// State is one replica's part in replication: its role, epochs and positions.
// It is pure, and one goroutine at a time calls it.
//
// Invariants: Start <= HighWatermark <= End and Flushed <= End; under one
// leader epoch the high watermark never goes back; a leader's is at most its
// position, which is Flushed in a durable partition and End in another.
type State struct {
	self    int32
	role    Role
	known   bool // Leadership was ever assigned
	lead    Leadership
	durable bool
	minISR  int
	at      Positions
	// epochStart is where this leader's epoch begins (KIP-207).
	epochStart int64
}

// NewState returns the state of a replica on broker self as its log was
// found. A high watermark outside the log is moved to its edge.
func NewState(self int32, durable bool, minISR int, at Positions) State {
	at.HighWatermark = min(max(at.HighWatermark, at.Start), at.End)
	return State{self: self, lead: Leadership{Leader: NoLeader, LeaderEpoch: -1, PartitionEpoch: -1}, durable: durable, minISR: minISR, at: at}
}

// Role is what the replica is.
func (s *State) Role() Role { return s.role }

// Leadership is what was assigned last.
func (s *State) Leadership() Leadership { return s.lead }

// Positions are the replica's offsets.
func (s *State) Positions() Positions { return s.at }

// EpochStart is where the leader epoch began that this replica leads.
func (s *State) EpochStart() int64 { return s.epochStart }

// Assign takes over what the metadata log says. What is older than what is
// known is ignored (I12).
func (s *State) Assign(l Leadership) Effects {
	if s.known && (l.PartitionEpoch <= s.lead.PartitionEpoch || l.LeaderEpoch < s.lead.LeaderEpoch) {
		return Effects{}
	}
	was, epoch := s.role, s.lead.LeaderEpoch
	s.known, s.lead = true, l
	switch l.Leader {
	case s.self:
		s.role = Leader
	case NoLeader:
		s.role = Idle
	default:
		s.role = Follower
	}
	var e Effects
	e.Resigned = was == Leader && s.role != Leader
	e.Leads = s.role == Leader && (was != Leader || epoch != l.LeaderEpoch)
	if e.Leads {
		// The high watermark is kept, never truncated to (KIP-101). Until it
		// reaches the end of what was inherited, that end may yet be committed
		// without our knowing (KIP-207).
		s.epochStart = s.at.End
	}
	e.Raised = s.raise()
	return e
}

// Appended notes the log's new end.
func (s *State) Appended(end int64) Effects {
	s.at.End = max(s.at.End, end)
	return Effects{Raised: s.raise()}
}

// Flushed notes that everything below an offset is durable.
func (s *State) Flushed(offset int64) Effects {
	s.at.Flushed = min(max(s.at.Flushed, offset), s.at.End)
	return Effects{Raised: s.raise()}
}

// Started notes the log's new start, after retention.
func (s *State) Started(start int64) Effects {
	s.at.Start = max(s.at.Start, start)
	if s.at.HighWatermark < s.at.Start {
		s.at.HighWatermark = s.at.Start
		return Effects{Raised: true}
	}
	return Effects{}
}

// Configure takes over a topic's configuration.
func (s *State) Configure(durable bool, minISR int) Effects {
	s.durable, s.minISR = durable, minISR
	return Effects{Raised: s.raise()}
}

// raise moves a leader's high watermark to the smallest position in the ISR.
// It stands still while the ISR is smaller than min.insync.replicas (as in
// Kafka 4), and never goes back.
func (s *State) raise() bool {
	if s.role != Leader || s.shortOfReplicas() {
		return false
	}
	to := s.position()
	for _, member := range s.lead.ISR {
		if member != s.self {
			// Followers report their positions by fetching; what one has not
			// reported cannot be counted on.
			return false
		}
	}
	if to <= s.at.HighWatermark {
		return false
	}
	s.at.HighWatermark = to
	return true
}

// position is how far this replica's own copy counts.
func (s *State) position() int64 {
	if s.durable {
		return s.at.Flushed
	}
	return s.at.End
}

// shortOfReplicas reports an ISR below min.insync.replicas. A topic never
// needs more than it has replicas.
func (s *State) shortOfReplicas() bool {
	return len(s.lead.ISR) < min(s.minISR, len(s.lead.Replicas))
}

// InISR reports whether a broker is in the committed ISR.
func (s *State) InISR(broker int32) bool { return slices.Contains(s.lead.ISR, broker) }

// CheckAppend reports whether a produce may be appended: this replica leads,
// in the epoch that the client knows (-1: it knows none), and with acks=all
// the ISR is large enough.
func (s *State) CheckAppend(epoch int32, acks int16) error {
	if err := s.checkEpoch(epoch); err != nil {
		return err
	}
	if acks == AcksAll && s.shortOfReplicas() {
		return ErrNotEnoughReplicas
	}
	return nil
}

func (s *State) checkEpoch(epoch int32) error {
	return checkEpoch(s.role == Leader, s.lead.LeaderEpoch, epoch)
}

// checkEpoch fences a request that names a leader epoch (KIP-320).
func checkEpoch(leads bool, current, asked int32) error {
	switch {
	case asked >= 0 && asked < current:
		return ErrFencedEpoch
	case asked > current:
		return ErrUnknownEpoch
	case !leads:
		return ErrNotLeader
	}
	return nil
}
