package producerstate

import (
	"math"
	"time"

	"github.com/millrace-io/millrace/internal/record"
)

// Guard stands for one question to the transaction coordinator: whether a
// transaction that has nothing here yet includes this partition (KIP-890). It
// holds until a marker or a first batch answers the question in another way:
// a batch that was delayed until after its transaction's end cannot open one
// that nobody would ever end. The zero Guard holds for nothing.
type Guard uint64

// verification is a question under way.
type verification struct {
	guard Guard
	epoch int16
	// lowest is the lowest sequence that was asked for: if the first batch of
	// several was refused, those behind it must not go before it.
	lowest int32
	seen   int64
}

// Verify returns the guard under which a batch may be appended once the
// coordinator has said that its partition is in the transaction; false where
// nothing has to be asked.
func (s *State) Verify(b record.Batch, now time.Time) (Guard, bool) {
	id, epoch := b.ProducerID(), b.ProducerEpoch()
	if id == none || !b.IsTransactional() || s.Ongoing(id, epoch) {
		return 0, false
	}
	if _, found, err := s.Check(b, now); found || err != nil {
		return 0, false // Its outcome does not depend on the answer.
	}
	return s.question(id, epoch, b.BaseSequence(), now), true
}

// VerifyProducer is Verify for what a coordinator writes for a producer, which
// has no sequence.
func (s *State) VerifyProducer(id int64, epoch int16, now time.Time) (Guard, bool) {
	if s.Ongoing(id, epoch) || s.CheckEpoch(id, epoch) != nil {
		return 0, false
	}
	return s.question(id, epoch, math.MaxInt32, now), true
}

// question begins a question, or joins the one that is under way.
func (s *State) question(id int64, epoch int16, sequence int32, now time.Time) Guard {
	v := s.verifying[id]
	if v.guard == 0 || v.epoch != epoch {
		s.guards++
		v = verification{guard: s.guards, epoch: epoch, lowest: math.MaxInt32}
	}
	v.lowest, v.seen = min(v.lowest, sequence), now.UnixMilli()
	if s.verifying == nil {
		s.verifying = make(map[int64]verification)
	}
	s.verifying[id] = v
	s.sweepVerifications(now.UnixMilli())
	return v.guard
}

// Verified reports whether a batch may begin a transaction here under a guard.
func (s *State) Verified(b record.Batch, g Guard) bool {
	return s.VerifiedProducer(b.ProducerID(), b.ProducerEpoch(), g)
}

// VerifiedProducer reports whether a producer's transaction may begin here
// under a guard.
func (s *State) VerifiedProducer(id int64, epoch int16, g Guard) bool {
	v, ok := s.verifying[id]
	return ok && g != 0 && v.guard == g && v.epoch == epoch
}

// skips reports whether a batch would go before one that was asked for.
func (s *State) skips(b record.Batch) bool {
	v, ok := s.verifying[b.ProducerID()]
	return ok && v.epoch == b.ProducerEpoch() && b.BaseSequence() > v.lowest
}

// verificationExpiry is for how long a question is remembered: longer than
// clients retry what was refused (delivery.timeout.ms, two minutes).
const verificationExpiry = 10 * time.Minute

// sweepVerifications forgets old questions whenever their number has doubled:
// nothing else bounds what producers that never append would leave.
func (s *State) sweepVerifications(ms int64) {
	if len(s.verifying) < max(firstSweep, s.verifySweep) {
		return
	}
	for id, v := range s.verifying {
		if ms-v.seen > verificationExpiry.Milliseconds() {
			delete(s.verifying, id)
		}
	}
	s.verifySweep = 2 * len(s.verifying)
}
