package txn

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// patience is how long an Add waits for the end of the transaction before. A
// client that is told CONCURRENT_TRANSACTIONS pauses, mostly for longer than
// the markers take.
const patience = 100 * time.Millisecond

// early is an Add that came before the transaction before was complete.
type early struct {
	request turn.Ticket
	add     *Add
	until   time.Time
}

// Add makes partitions part of the transaction, which begins with the first.
// What is in it already is in it: a retry writes nothing. While the markers of
// the transaction before are written, an Add waits for a moment.
func (s *State) Add(t *turn.Turn, req *Add) {
	if s.owned(req.Producer) == nil && s.m.Phase.prepared() {
		s.early = append(s.early, early{t.Request, req, t.Now.Add(patience)})
		return
	}
	s.add(t, t.Request, req)
}

func (s *State) add(t *turn.Turn, request turn.Ticket, req *Add) {
	err := s.owned(req.Producer)
	switch {
	case err != nil:
		t.Answer(request, err)
		return
	case s.m.Phase.prepared():
		t.Answer(request, kerr.ConcurrentTransactions)
		return
	}
	m := s.m
	if m.Phase != Ongoing {
		m.Phase, m.Started, m.Partitions, m.Version = Ongoing, stamp(t.Now), nil, req.Version
	}
	m.Partitions = union(m.Partitions, req.Partitions)
	if s.m.Phase != Ongoing || len(m.Partitions) > len(s.m.Partitions) {
		s.record(t, &m)
	}
	t.AnswerSettled(request, noError)
}

// admit lets those in that came early, or those alone whose patience is over.
func (s *State) admit(t *turn.Turn, all bool) {
	for len(s.early) > 0 && (all || !s.early[0].until.After(t.Now)) {
		e := s.early[0]
		s.early = s.early[1:]
		s.add(t, e.request, e.add)
	}
}

// Verify says which partitions are not in the transaction. A batch for one of
// those came too late, and nothing would ever end it.
func (s *State) Verify(t *turn.Turn, req *Verify) {
	err := s.owned(req.Producer)
	switch {
	case err != nil:
		t.Reply(Verdict{Err: err})
		return
	case s.m.Phase.prepared():
		t.Reply(Verdict{Err: kerr.ConcurrentTransactions})
		return
	}
	var missing []Partition
	for _, p := range req.Partitions {
		if s.m.Phase != Ongoing || !s.includes(p) {
			missing = append(missing, p)
		}
	}
	t.Settle(Verdict{Missing: missing})
}

// owned checks that a producer owns the id.
func (s *State) owned(p turn.Producer) *kerr.Error {
	switch {
	case !s.recorded || p.ID != s.m.Producer.ID:
		return kerr.InvalidProducerIDMapping
	case p.Epoch != s.m.Producer.Epoch:
		return kerr.ProducerFenced
	}
	return nil
}

func (s *State) includes(p Partition) bool {
	_, found := slices.BinarySearchFunc(s.m.Partitions, p, comparePartitions)
	return found
}

// union returns a new list in order. The old one stays as it is: records hold
// it.
func union(a, b []Partition) []Partition {
	all := slices.Concat(a, b)
	slices.SortFunc(all, comparePartitions)
	return slices.Compact(all)
}
