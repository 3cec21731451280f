package txn

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// errNotFound answers for an id that nobody knows.
var errNotFound = kerr.TransactionalIDNotFound

// Init takes the id over for a process: with a newer epoch, which fences who
// had it before. A transaction that is under way is aborted first, and the
// client asks again.
//
//	          | nobody expected        | as expected              | as before the bump | anyone else
//	ongoing   | abort, CONCURRENT      | abort, CONCURRENT        | PRODUCER_FENCED    | PRODUCER_FENCED
//	prepared  | CONCURRENT             | CONCURRENT               | CONCURRENT         | PRODUCER_FENCED
//	otherwise | bump                   | bump, remember           | the same again     | PRODUCER_FENCED
//
// In the last epoch that clients get, a bump is another producer id.
func (s *State) Init(t *turn.Turn, req *Init) {
	switch {
	case req.Timeout <= 0 || req.Timeout > s.opts.MaxTimeout:
		t.Reply(refuse(kerr.InvalidTransactionTimeout))
	case s.recorded && !s.expects(req.Expected):
		t.Reply(refuse(kerr.ProducerFenced))
	case s.m.Phase.prepared():
		t.Reply(refuse(kerr.ConcurrentTransactions))
	case s.recorded && s.m.Phase == Ongoing:
		s.succeed(t, req)
	case s.recorded && req.Expected != NoProducer && req.Expected == s.before && s.m.Producer.Epoch <= lastEpoch:
		t.Settle(Granted{Producer: s.m.Producer})
	default:
		s.bump(t, req)
	}
}

// expects reports whether a client may call itself that.
func (s *State) expects(p turn.Producer) bool {
	return p == NoProducer || p == s.m.Producer || p == s.before
}

// succeed aborts the transaction of a predecessor, or of the client itself
// that has lost track of it (KIP-360): the retry of that one finds the bump
// done.
func (s *State) succeed(t *turn.Turn, req *Init) {
	if req.Expected != NoProducer && req.Expected != s.m.Producer {
		t.Reply(refuse(kerr.ProducerFenced))
		return
	}
	s.fence(t)
	s.before = req.Expected
	t.Settle(refuse(kerr.ConcurrentTransactions))
}

// bump gives the id to a new epoch of its producer, or to another producer
// when the epochs are used up.
func (s *State) bump(t *turn.Turn, req *Init) {
	m := Metadata{
		Producer: turn.Producer{ID: s.m.Producer.ID, Epoch: s.m.Producer.Epoch + 1},
		Previous: s.m.Previous, Next: none,
		Timeout: req.Timeout, Phase: Empty, Version: s.m.Version,
	}
	if !s.recorded || s.m.Producer.Epoch >= lastEpoch {
		if req.Fresh == NoID {
			t.Reply(Granted{Producer: NoProducer, NeedsID: true})
			return
		}
		m.Producer = turn.Producer{ID: req.Fresh}
		m.Previous = s.m.Producer.ID
	}
	before := req.Expected
	s.record(t, &m)
	s.before = before
	t.Settle(Granted{Producer: m.Producer})
}

// fence aborts the transaction under way, with an epoch that its producer does
// not have. With transactions v2 the epoch above the producer's would be
// taken for its own end, so it goes up by two.
func (s *State) fence(t *turn.Turn) {
	m := s.m
	bump := int16(1)
	if m.Version >= 2 && m.Producer.Epoch < lastEpoch {
		bump = 2
	}
	m.Producer.Epoch += bump
	s.before = NoProducer
	s.decide(t, m, false)
}

func refuse(err *kerr.Error) Granted { return Granted{Err: err, Producer: NoProducer} }

// Refuse answers an Init or an End with an error.
func Refuse(err *kerr.Error) Granted { return refuse(err) }
