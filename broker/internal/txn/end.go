package txn

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// End decides the transaction.
//
//	               | commit               | abort
//	Empty          | INVALID_TXN_STATE    | INVALID_TXN_STATE; v2: a new epoch
//	Ongoing        | PrepareCommit        | PrepareAbort
//	PrepareCommit  | CONCURRENT           | INVALID_TXN_STATE; v2, the next epoch: CONCURRENT
//	PrepareAbort   | INVALID_TXN_STATE    | CONCURRENT
//	CompleteCommit | done (v2: a retry)   | INVALID_TXN_STATE; v2: a new epoch
//	CompleteAbort  | INVALID_TXN_STATE    | done; v2: a retry is done, else a new epoch
//
// In v2 a client that has not written yet may abort all the same: it does not
// know whether a batch of it has arrived.
func (s *State) End(t *turn.Turn, req *End) {
	retry := req.Version >= 2 && s.retried(req.Producer)
	if !retry {
		if err := s.owned(req.Producer); err != nil {
			t.Reply(refuse(err))
			return
		}
	}
	switch s.m.Phase {
	case PrepareCommit, PrepareAbort:
		err := kerr.InvalidTxnState
		next := req.Version >= 2 && !retry // the end of a transaction after this one
		if next || s.m.Phase == prepare(req.Commit) {
			err = kerr.ConcurrentTransactions
		}
		t.Reply(refuse(err))
	case Ongoing:
		if retry { // of the end before this transaction
			t.Reply(refuse(kerr.ProducerFenced))
			return
		}
		s.end(t, req, s.m)
	case Empty, CompleteCommit, CompleteAbort:
		s.endAgain(t, req, retry)
	case Dead, PrepareEpochFence: // never the phase of a State
		t.Reply(refuse(kerr.InvalidTxnState))
	}
}

// retried reports whether the producer's end has been decided before: by v2 it
// would go on with the epoch above, or with another producer id.
func (s *State) retried(p turn.Producer) bool {
	if !s.recorded {
		return false
	}
	now := s.m.Producer
	bumped := now.ID == p.ID && now.Epoch == p.Epoch+1 && (now.Epoch < math.MaxInt16 || s.m.Next != none)
	rotated := now.Epoch == 0 && s.m.Previous == p.ID && p.Epoch == lastEpoch
	return bumped || rotated
}

// endAgain answers an end where no transaction is under way.
func (s *State) endAgain(t *turn.Turn, req *End, retry bool) {
	done := s.m.Phase == complete(req.Commit)
	switch {
	case done && (retry || req.Version < 2):
		t.Settle(Granted{Producer: s.m.Producer})
	case req.Version >= 2 && !req.Commit && !retry:
		m := s.m
		m.Partitions, m.Started = nil, stamp(t.Now)
		s.end(t, req, m)
	default:
		t.Reply(refuse(kerr.InvalidTxnState))
	}
}

// end decides a client's transaction and answers with the producer to go on
// as.
func (s *State) end(t *turn.Turn, req *End, m Metadata) {
	m.Version = req.Version
	granted := m.Producer
	if req.Version >= 2 {
		if m.Producer.Epoch >= lastEpoch {
			if req.Fresh == NoID {
				t.Reply(Granted{Producer: NoProducer, NeedsID: true})
				return
			}
			m.Next = req.Fresh
		}
		m.Producer.Epoch++
		granted = successor(&m)
	}
	s.decide(t, m, req.Commit)
	t.Settle(Granted{Producer: granted})
}

// successor is the producer after the end under way.
func successor(m *Metadata) turn.Producer {
	if m.Next != none {
		return turn.Producer{ID: m.Next}
	}
	return m.Producer
}

// decide records the outcome and asks for the markers.
func (s *State) decide(t *turn.Turn, m Metadata, commit bool) {
	m.Phase = prepare(commit)
	s.record(t, &m)
	s.mark(t)
}

// mark hands out an Ending.
func (s *State) mark(t *turn.Turn) {
	s.marking, s.retry = true, time.Time{}
	t.Effects = append(t.Effects, &Ending{
		ID: s.id, Producer: s.m.Producer, Commit: s.m.Phase == PrepareCommit, Version: s.m.Version,
		Partitions: s.m.Partitions,
	})
}

// Marked says that the markers of an Ending are in the log, or why some are
// not.
func (s *State) Marked(t *turn.Turn, e *Ending, err error) {
	if !s.marking || s.m.Producer != e.Producer || !s.m.Phase.prepared() {
		return // another leadership's
	}
	if err != nil {
		s.marking, s.retry = false, t.Now.Add(markerRetry)
		return
	}
	m := s.m
	m.Phase = complete(s.m.Phase == PrepareCommit)
	m.Partitions, m.Started = nil, time.Time{}
	if m.Next != none {
		m.Previous = m.Producer.ID
	}
	m.Producer, m.Next = successor(&s.m), none
	s.record(t, &m)
	s.admit(t, true)
}
