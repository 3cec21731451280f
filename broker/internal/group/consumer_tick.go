package group

import "time"

// tickConsumer expels members whose time is over.
func (s *State) tickConsumer(t *Turn) {
	for _, m := range s.consumer.sorted() {
		if s.consumer == nil {
			return // it has become a classic group; its own ticks go on
		}
		if m.overdue(t.Now) {
			s.expel(t, m)
		}
	}
}

func (m *consumerMember) overdue(now time.Time) bool {
	for _, at := range m.deadlines() {
		if due(at, now) {
			return true
		}
	}
	return false
}

func (m *consumerMember) deadlines() [4]time.Time {
	return [4]time.Time{m.deadline, m.revokeBy, m.joinBy, m.syncBy}
}

// rearmConsumer takes the deadlines of the members into account.
func (s *State) rearmConsumer() {
	for _, m := range s.consumer.members {
		for _, at := range m.deadlines() {
			if !at.IsZero() {
				s.arm(at)
			}
		}
	}
}
