package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// initialWait is the patience with the first members of an empty group: the
// rebalance ends a delay after the last one came, within the rebalance timeout.
type initialWait struct {
	grown     bool          // somebody came since the delay was set last
	remaining time.Duration // by which it can still be extended
}

// rebalance asks all members to join, or goes on with a rebalance that may be
// complete by what just happened.
func (s *State) rebalance(t *Turn) {
	if s.phase != PreparingRebalance {
		s.prepare(t)
	}
	if s.initial == nil && s.members.joining == s.members.size() && len(s.pending) == 0 {
		s.completeJoin(t)
	}
}

func (s *State) prepare(t *Turn) {
	for _, m := range s.members.order { // of a generation that will not be
		if m.sync != 0 {
			t.Answer(m.sync, RefuseSync(kerr.RebalanceInProgress))
			m.sync = 0
			s.touch(m, t.Now)
		}
	}
	wait := s.members.rebalanceTimeout()
	if delay := s.opts.InitialRebalanceDelay; s.phase == Empty && delay > 0 {
		s.initial = &initialWait{remaining: max(wait-delay, 0)}
		wait = min(wait, delay)
	}
	s.phase = PreparingRebalance
	s.syncBy = time.Time{}
	s.joinBy = t.Now.Add(wait)
	s.arm(s.joinBy)
}

// joinTimedOut is the end of the rebalance timeout, or of a wait for the first
// members.
func (s *State) joinTimedOut(t *Turn) {
	if w := s.initial; w != nil && w.grown && w.remaining > 0 {
		more := min(s.opts.InitialRebalanceDelay, w.remaining)
		w.grown = false
		w.remaining -= more
		s.joinBy = t.Now.Add(more)
		s.arm(s.joinBy)
		return
	}
	s.completeJoin(t)
}

// completeJoin ends PreparingRebalance with the members that have joined.
// Static members that have not are still members: only their session's end, or
// a LeaveGroup, removes them.
func (s *State) completeJoin(t *Turn) {
	s.initial, s.joinBy = nil, time.Time{}
	s.dropAbsent(t)
	if s.members.size() > 0 && s.members.joining == 0 {
		// Only static members, none of them back. Nobody could lead.
		s.joinBy = t.Now.Add(s.members.rebalanceTimeout())
		s.arm(s.joinBy)
		return
	}
	s.generation++
	if s.members.size() == 0 {
		s.protocol, s.leader = "", ""
		s.record(t, s.metadata(t.Now, nil))
		return
	}
	s.appointLeader()
	s.protocol = s.members.elect()
	s.phase = CompletingRebalance
	s.syncBy = t.Now.Add(s.members.rebalanceTimeout())
	s.arm(s.syncBy)
	for _, m := range s.members.order {
		s.enter(t, m)
	}
}

// enter brings a member into the new generation.
func (s *State) enter(t *Turn, m *member) {
	m.synced = false
	if m.join == 0 {
		return
	}
	m.fresh = false
	s.touch(m, t.Now)
	t.Answer(s.members.park(m, 0), s.joined(m))
}

func (s *State) dropAbsent(t *Turn) {
	for _, m := range absent(s.members.order) {
		s.remove(t, m)
	}
}

func absent(members []*member) []*member {
	var list []*member
	for _, m := range members {
		if m.join == 0 && m.instance == "" {
			list = append(list, m)
		}
	}
	return list
}

// appointLeader keeps the leader if it came back, else takes the first that did.
func (s *State) appointLeader() {
	if m := s.members.byID[s.leader]; m != nil && m.join != 0 {
		return
	}
	for _, m := range s.members.order {
		if m.join != 0 {
			s.leader = m.id
			return
		}
	}
}

// remove takes a member out. What it waits for is answered.
func (s *State) remove(t *Turn, m *member) {
	if m.join != 0 {
		t.Answer(m.join, joinError(m.id, kerr.UnknownMemberID))
	}
	if m.sync != 0 {
		t.Answer(m.sync, RefuseSync(kerr.UnknownMemberID))
		m.sync = 0
	}
	s.members.remove(m)
}

// removed goes on after members or pending ids are gone.
func (s *State) removed(t *Turn, members int) {
	switch s.phase {
	case Stable, CompletingRebalance:
		if members > 0 {
			s.rebalance(t)
		}
	case PreparingRebalance:
		s.rebalance(t)
	case Empty, Dead, Assigning, Reconciling:
	}
}
