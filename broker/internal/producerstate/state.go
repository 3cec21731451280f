package producerstate

import (
	"fmt"
	"iter"
	"time"

	"github.com/millrace-io/millrace/internal/mutant"
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

	// CoordinatorEpoch is that of the last marker, -1 without one.
	CoordinatorEpoch int32
	// TxnFirstOffset is where the open transaction begins, -1 for none.
	TxnFirstOffset int64

	// begins says that a marker began the epoch: its first sequence is 0. Of a
	// producer that was met by a marker only, nothing is known to have been
	// appended, so it may go on with any sequence.
	begins bool
	// marked is the timestamp of a marker that no batch has followed in its
	// epoch.
	marked int64

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

// LastTimestamp is that of the newest batch, or of the marker that began the
// epoch, in milliseconds; -1 for none.
func (p *Producer) LastTimestamp() int64 {
	if p.n == 0 {
		return p.marked
	}
	return p.window[p.n-1].Timestamp
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

	txns txns

	// verifying holds the producers for which the coordinator is being asked.
	verifying map[int64]verification
	guards    Guard // handed out so far
	// verifySweep is the number of verifications at which old ones are
	// forgotten.
	verifySweep int
}

type undo struct {
	before Producer
	fresh  bool // there was none before
	began  bool // a transaction was begun
	ended  bool // txn was ended
	txn    Txn
	// verifying is the question that the update has settled.
	verifying verification
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
		if s.skips(b) {
			return duplicate, false, refuseFirst(b)
		}
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
	if p.n == 0 && !p.begins {
		if s.skips(b) {
			return duplicate, false, refuseFirst(b)
		}
		return duplicate, false, nil
	}
	duplicate, found, err = p.check(b)
	if !found && err == nil && p.TxnFirstOffset != none && !b.IsTransactional() {
		return duplicate, false, refuse(ErrTxnState, b, p)
	}
	return duplicate, found, err
}

// check decides on a batch of the producer's own epoch.
func (p *Producer) check(b record.Batch) (duplicate Batch, found bool, err error) {
	first, last := b.BaseSequence(), lastSequence(b)
	if first == next(p.LastSequence()) || mutant.On("M33") {
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

// CheckEpoch decides on what a coordinator writes for a producer: its epoch
// must not be older than the producer's.
func (s *State) CheckEpoch(id int64, epoch int16) error {
	if p, known := s.producers[id]; known && epoch < p.Epoch {
		return fmt.Errorf("%w: epoch %d of producer %d, which has epoch %d", ErrInvalidEpoch, epoch, id, p.Epoch)
	}
	return nil
}

// Update counts a batch as appended. Its offsets are stamped, and Check or
// CheckMarker has found it new, or it comes from a leader or from the log,
// which are not argued with. Position is kept with a transaction that begins
// here: whatever the caller counts up to this batch.
func (s *State) Update(b record.Batch, now time.Time, position int64) {
	if b.ProducerID() == none {
		return
	}
	ms := now.UnixMilli()
	p, known := s.producers[b.ProducerID()]
	if !known {
		s.sweep(ms)
		p = &Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), CoordinatorEpoch: none, TxnFirstOffset: none, marked: none}
		s.producers[p.ID] = p
	}
	s.undo = append(s.undo, undo{before: *p, fresh: !known})
	u := &s.undo[len(s.undo)-1]
	if expired := s.expired(p, ms); known && (b.ProducerEpoch() != p.Epoch || expired) {
		p.begins = b.ProducerEpoch() > p.Epoch && !expired
		p.Epoch, p.n = b.ProducerEpoch(), 0
	}
	p.seen = ms
	if b.IsControl() {
		s.updateMarker(p, b, u)
		return // a marker speaks for the coordinator and has no sequence
	}
	if b.IsTransactional() && p.TxnFirstOffset == none {
		p.TxnFirstOffset = b.BaseOffset()
		s.txns.begin(Txn{ProducerID: p.ID, FirstOffset: p.TxnFirstOffset, Position: position})
		u.began = true
		s.answer(p.ID, u)
	}
	p.push(Batch{
		FirstSequence: b.BaseSequence(), LastSequence: lastSequence(b),
		LastOffset: b.LastOffset(), OffsetDelta: b.LastOffsetDelta(), Timestamp: b.MaxTimestamp(),
	})
}

// updateMarker ends the producer's transaction, if it has one here.
func (s *State) updateMarker(p *Producer, b record.Batch, u *undo) {
	m, found, err := ParseMarker(b)
	if err != nil || !found {
		return // not one of ours: what we write parses
	}
	p.CoordinatorEpoch, p.marked = m.CoordinatorEpoch, b.MaxTimestamp()
	s.answer(p.ID, u)
	if p.TxnFirstOffset == none {
		return
	}
	u.txn, u.ended = s.txns.end(p.TxnFirstOffset, b.LastOffset(), m.Committed)
	p.TxnFirstOffset = none
}

// answer settles what the coordinator was being asked about a producer.
func (s *State) answer(id int64, u *undo) {
	u.verifying = s.verifying[id]
	delete(s.verifying, id)
}

// Commit makes the updates since the last Commit final.
func (s *State) Commit() {
	s.undo = s.undo[:0]
	s.txns.commit()
}

// Rollback takes the updates since the last Commit back: their write failed.
func (s *State) Rollback() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		u := &s.undo[i]
		switch {
		case u.began:
			s.txns.open = s.txns.open[:len(s.txns.open)-1] // it was the last to begin
		case u.ended:
			s.txns.reopen(u.txn)
		}
		if u.verifying.guard != 0 {
			s.verifying[u.before.ID] = u.verifying
		}
		if u.fresh {
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
	clear(s.verifying)
	s.undo = s.undo[:0]
	s.txns.reset()
}

// All goes over the producers by id. One is valid until the next call.
func (s *State) All() iter.Seq[*Producer] {
	return func(yield func(*Producer) bool) {
		for _, id := range s.ids() {
			if !yield(s.producers[id]) {
				return
			}
		}
	}
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
