package group

import "time"

// Tick does what has fallen due. It may be called at any time.
func (s *State) Tick(t *Turn) {
	if s.consumer != nil {
		s.tickConsumer(t)
	}
	s.expirePending(t)
	s.expireSessions(t)
	if due(s.syncBy, t.Now) {
		s.syncOverdue(t)
	}
	if s.phase == PreparingRebalance && due(s.joinBy, t.Now) {
		s.joinTimedOut(t)
	}
	s.rearm()
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

func (s *State) expirePending(t *Turn) {
	gone := false
	for id, until := range s.pending {
		if due(until, t.Now) {
			delete(s.pending, id)
			gone = true
		}
	}
	if gone {
		s.removed(t, 0)
	}
}

func (s *State) expireSessions(t *Turn) {
	var over []*member
	for _, m := range s.members.order {
		if m.expired(t.Now) {
			over = append(over, m)
		}
	}
	for _, m := range over {
		s.remove(t, m)
	}
	if len(over) > 0 {
		s.removed(t, len(over))
	}
}

// rearm computes the next deadline exactly.
func (s *State) rearm() {
	s.wake = time.Time{}
	for _, at := range []time.Time{s.joinBy, s.syncBy} {
		if !at.IsZero() {
			s.arm(at)
		}
	}
	for _, until := range s.pending {
		s.arm(until)
	}
	if s.consumer != nil {
		s.rearmConsumer()
	}
	for _, m := range s.members.order {
		if m.fresh || (m.join == 0 && m.sync == 0) {
			s.arm(m.deadline)
		}
	}
}
