package group

import "github.com/millrace-io/millrace/broker/internal/group/assignor"

// reconcile brings a member one step nearer to its target, as far as what it
// owns and what others own allow.
//
//	           must give up some                has given them up
//	Reconciled ────────────────▶ Unrevoked ────────────────────────┐
//	    ▲  └──────────────────────────────────────┐                │
//	    │ the others have released                ▼                ▼
//	    └──────────────────────────────── Unreleased ◀── some are still another's
//
// A partition is given to a member only when nobody owns it: first revoked,
// then assigned. A member that gives up nothing goes to the target's epoch at
// once; one that has to stays in its own until it has.
func (s *State) reconcile(t *Turn, m *consumerMember, says owned) {
	c := s.consumer
	if m.reconciled(c.assigned) {
		return
	}
	next := m.current
	switch m.current.State {
	case Unrevoked:
		if says.includes(m.current.Revoking) {
			return
		}
		next = c.advance(m, m.current.Epoch+1, says)
	case Reconciled, Unreleased:
		next = c.advance(m, m.current.Epoch, says)
	default: // of a later version of the log; the member has to begin anew
		next = c.advance(m, c.assigned, says)
	}
	if !next.equal(&m.current) {
		s.record(t, &CurrentRecord{Group: s.id, Member: m.id, Current: &next})
	}
}

// advance computes where a member is next.
func (c *consumerGroup) advance(m *consumerMember, epoch int32, says owned) Current {
	step := c.divide(m)
	if len(step.revoke) > 0 && says.includes(step.revoke) {
		return Current{Epoch: epoch, Previous: m.current.Epoch, State: Unrevoked, Assigned: step.keep, Revoking: step.revoke}
	}
	next := Current{Epoch: c.assigned, Previous: m.current.Epoch, State: Reconciled, Assigned: step.keep}
	for topic, partitions := range step.gain {
		for _, p := range partitions {
			next.Assigned.add(topic, p, c.assigned)
		}
	}
	if step.waits {
		next.State = Unreleased
	}
	return next
}

// A step divides what a member has and shall have.
type step struct {
	keep   Holding             // has and shall have
	revoke Holding             // has and shall not have
	gain   assignor.Assignment // shall have, and nobody has
	waits  bool                // some of what it shall have is another's
}

func (c *consumerGroup) divide(m *consumerMember) step {
	out := step{keep: Holding{}, revoke: Holding{}, gain: assignor.Assignment{}}
	wanted := holdingOf(m.target, 0)
	for topic, partitions := range m.current.Assigned {
		for p, epoch := range partitions {
			if wanted.has(topic, p) {
				out.keep.add(topic, p, epoch)
			} else {
				out.revoke.add(topic, p, epoch)
			}
		}
	}
	for topic, partitions := range m.target {
		for _, p := range partitions {
			switch {
			case out.keep.has(topic, p):
			case c.free(m, topic, p):
				out.gain[topic] = append(out.gain[topic], p)
			default:
				out.waits = true
			}
		}
	}
	return out
}

// waitsForOthers reports whether an Unreleased member would gain nothing if it
// came now.
func (c *consumerGroup) waitsForOthers(m *consumerMember) bool {
	return len(c.divide(m).gain) == 0
}
