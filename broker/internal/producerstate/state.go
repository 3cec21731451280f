package producerstate

import (
	"time"

	"github.com/millrace-io/millrace/internal/record"
)

const (
	// windowSize is how many batches of a producer are remembered: clients
	// keep at most five in flight.
	windowSize = 5

	none         = -1
	sequenceMask = 1<<31 - 1
)

// Batch is one appended batch, as far as a retry of it needs to know.
type Batch struct {
	FirstSequence, LastSequence int32
	LastOffset                  int64
	OffsetDelta                 int32 // last offset less first offset
	Timestamp                   int64 // the batch's largest; with LogAppendTime the time of the append
}

// FirstOffset is the offset that the batch was appended at.
func (b Batch) FirstOffset() int64 { return b.LastOffset - int64(b.OffsetDelta) }

// Producer is what one producer id has appended.
type Producer struct {
	ID    int64
	Epoch int16

	// Transactions use these; none until then.
	CoordinatorEpoch int32
	TxnFirstOffset   int64

	window [windowSize]Batch // window[:n], oldest first
	n      int
	// whole says that the epoch was seen from sequence 0 on: what lies behind
	// the window is then known to be in the log.
	whole bool
	seen  int64 // last append by our clock, ms; decides expiry
}

// LastSequence is the producer's newest sequence in its epoch, -1 for none.
func (p *Producer) LastSequence() int32 {
	if p.n == 0 {
		return none
	}
	return p.window[p.n-1].LastSequence
}

// Window is the producer's last batches, oldest first. It is valid until the
// next call.
func (p *Producer) Window() []Batch { return p.window[:p.n] }

func (p *Producer) push(b Batch) {
	if p.n == 0 {
		p.whole = b.FirstSequence == 0
	}
	if p.n == windowSize {
		copy(p.window[:], p.window[1:])
		p.n--
	}
	p.window[p.n] = b
	p.n++
}

// State is the producer state of one partition.
type State struct {
	expiry    time.Duration
	producers map[int64]*Producer
	sweepAt   int // number of producers at which the expired are looked for

	// undo holds the producers as they were before the updates since the last
	// Commit, in order.
	undo []undo
}

type undo struct {
	before Producer
	fresh  bool // there was none before
}

// New returns an empty state whose producers expire after that time without
// an append.
func New(expiry time.Duration) *State {
	return &State{expiry: expiry, producers: make(map[int64]*Producer), sweepAt: firstSweep}
}

// firstSweep is the number of producers below which expiry is left to Check
// and to snapshots.
const firstSweep = 1024

// SetExpiry changes after which time producers expire.
func (s *State) SetExpiry(d time.Duration) { s.expiry = d }

// Len is the number of producers held.
func (s *State) Len() int { return len(s.producers) }

// Producer returns what one producer has appended. It is valid until the next
// Update or Rollback.
func (s *State) Producer(id int64) (*Producer, bool) {
	p, ok := s.producers[id]
	return p, ok
}

// Check decides on a batch that carries a producer id, in the state that the
// updates so far have made. A batch without one is always new. found reports
// a retry, and duplicate is the batch that it repeats.
func (s *State) Check(b record.Batch, now time.Time) (duplicate Batch, found bool, err error) {
	if b.ProducerID() == none {
		return duplicate, false, nil
	}
	p, known := s.producers[b.ProducerID()]
	if !known || s.expired(p, now.UnixMilli()) {
		return duplicate, false, nil
	}
	switch epoch := b.ProducerEpoch(); {
	case epoch < p.Epoch:
		return duplicate, false, refuse(ErrInvalidEpoch, b, p)
	case epoch > p.Epoch:
		if b.BaseSequence() != 0 {
			return duplicate, false, refuse(ErrOutOfOrderSequence, b, p)
		}
		return duplicate, false, nil
	}
	return p.check(b)
}

// check decides on a batch of the producer's own epoch.
func (p *Producer) check(b record.Batch) (duplicate Batch, found bool, err error) {
	first, last := b.BaseSequence(), lastSequence(b)
	if first == next(p.LastSequence()) {
		return duplicate, false, nil
	}
	for _, w := range p.Window() {
		if w.FirstSequence == first && w.LastSequence == last {
			return w, true, nil
		}
	}
	if p.whole && p.n > 0 && behind(last, p.window[0].FirstSequence) {
		return duplicate, false, refuse(ErrDuplicateSequence, b, p)
	}
	return duplicate, false, refuse(ErrOutOfOrderSequence, b, p)
}

// Update counts a batch as appended. Its offsets are stamped, and Check has
// found it new, or it comes from a leader or from the log, which are not
// argued with.
func (s *State) Update(b record.Batch, now time.Time) {
	if b.ProducerID() == none {
		return
	}
	ms := now.UnixMilli()
	p, known := s.producers[b.ProducerID()]
	if !known {
		s.sweep(ms)
		p = &Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), CoordinatorEpoch: none, TxnFirstOffset: none}
		s.producers[p.ID] = p
	}
	s.undo = append(s.undo, undo{before: *p, fresh: !known})
	if known && (b.ProducerEpoch() != p.Epoch || s.expired(p, ms)) {
		p.Epoch, p.n = b.ProducerEpoch(), 0
	}
	p.seen = ms
	if b.IsControl() {
		return // a marker speaks for the coordinator and has no sequence
	}
	p.push(Batch{
		FirstSequence: b.BaseSequence(), LastSequence: lastSequence(b),
		LastOffset: b.LastOffset(), OffsetDelta: b.LastOffsetDelta(), Timestamp: b.MaxTimestamp(),
	})
}

// Commit makes the updates since the last Commit final.
func (s *State) Commit() { s.undo = s.undo[:0] }

// Rollback takes the updates since the last Commit back: their write failed.
func (s *State) Rollback() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		if u := &s.undo[i]; u.fresh {
			delete(s.producers, u.before.ID)
		} else {
			*s.producers[u.before.ID] = u.before
		}
	}
	s.undo = s.undo[:0]
}

// Reset forgets everything, for a rebuild from another point of the log.
func (s *State) Reset() {
	clear(s.producers)
	s.undo = s.undo[:0]
}

// Expire forgets the producers that have not appended for the expiry.
func (s *State) Expire(now time.Time) {
	ms := now.UnixMilli()
	for id, p := range s.producers {
		if s.expired(p, ms) {
			delete(s.producers, id)
		}
	}
}

func (s *State) expired(p *Producer, ms int64) bool {
	return s.expiry > 0 && p.TxnFirstOffset == none && ms-p.seen > s.expiry.Milliseconds()
}

// sweep looks for expired producers whenever their number has doubled: short
// lived producers cost O(1) each and no timer.
func (s *State) sweep(ms int64) {
	if len(s.producers) < s.sweepAt || len(s.undo) > 0 {
		return // Rollback must find those it puts back
	}
	s.Expire(time.UnixMilli(ms))
	s.sweepAt = max(firstSweep, 2*len(s.producers))
}

// lastSequence is that of the batch's last record.
func lastSequence(b record.Batch) int32 {
	return record.NextSequence(b.BaseSequence(), b.LastOffsetDelta())
}

// next is the sequence that follows: 0 after none and after the largest.
func next(sequence int32) int32 { return record.NextSequence(sequence, 1) }

// behind reports whether sequence a comes before b, going by the shorter way
// around.
func behind(a, b int32) bool {
	ahead := (int64(b) - int64(a)) & sequenceMask
	return ahead > 0 && ahead < 1<<30
}
