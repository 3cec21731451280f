package group

import (
	"bytes"
	"slices"
	"time"
)

// A protocol is one way in which a member can be assigned work, with what it
// says about itself for that way. Both are opaque here.
type protocol struct {
	name     string
	metadata []byte
}

func (p protocol) equal(other protocol) bool {
	return p.name == other.name && bytes.Equal(p.metadata, other.metadata)
}

// A member takes part in the group under an id that the coordinator gave it.
type member struct {
	id       string
	instance string // "" for a dynamic member
	client   Client

	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []protocol // in order of preference

	// assignment is what the leader gave it in the last recorded generation.
	assignment []byte

	join Ticket // waits for the rebalance to complete
	sync Ticket // waits for the leader's assignment

	// fresh members have never had an answer to a join: nobody would notice
	// that they are gone but by a long timeout of its own.
	fresh bool
	// synced members have asked for the assignment of this generation.
	synced bool
	// deadline ends the session. It does not bind while a request waits here:
	// who waits cannot send heartbeats.
	deadline time.Time
}

// expired reports whether the session is over.
func (m *member) expired(now time.Time) bool {
	waiting := m.join != 0 || m.sync != 0
	if waiting && !m.fresh {
		return false
	}
	return !now.Before(m.deadline)
}

func (m *member) metadata(name string) ([]byte, bool) {
	for _, p := range m.protocols {
		if p.name == name {
			return p.metadata, true
		}
	}
	return nil, false
}

// offers reports whether the member has said exactly this before.
func (m *member) offers(protocols []protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, protocol.equal)
}

// roster holds the members. Their order is that of arrival, so that equal
// events lead to equal effects, which a map's order would not.
type roster struct {
	order      []*member
	byID       map[string]*member
	byInstance map[string]*member
	offers     map[string]int // members that offer a protocol
	joining    int            // members that wait for the rebalance to complete
}

func newRoster() roster {
	return roster{byID: map[string]*member{}, byInstance: map[string]*member{}, offers: map[string]int{}}
}

func (r *roster) size() int { return len(r.order) }

// common reports whether every member offers the protocol.
func (r *roster) common(name string) bool { return r.offers[name] == len(r.order) }

func (r *roster) add(m *member) {
	r.order = append(r.order, m)
	r.byID[m.id] = m
	if m.instance != "" {
		r.byInstance[m.instance] = m
	}
	if m.join != 0 {
		r.joining++
	}
	r.count(m, +1)
}

func (r *roster) remove(m *member) {
	r.order = slices.DeleteFunc(r.order, func(o *member) bool { return o == m })
	delete(r.byID, m.id)
	if r.byInstance[m.instance] == m {
		delete(r.byInstance, m.instance)
	}
	r.park(m, 0)
	r.count(m, -1)
}

// rename gives a static member that came back its new id.
func (r *roster) rename(m *member, id string) {
	delete(r.byID, m.id)
	m.id = id
	r.byID[id] = m
}

// offer replaces what a member offers.
func (r *roster) offer(m *member, protocols []protocol) {
	r.count(m, -1)
	m.protocols = protocols
	r.count(m, +1)
}

func (r *roster) count(m *member, by int) {
	for _, p := range m.protocols {
		r.offers[p.name] += by
		if r.offers[p.name] == 0 {
			delete(r.offers, p.name)
		}
	}
}

// park makes a member's join wait for the rebalance to complete, or with zero
// ends the wait. It returns the request that waited before.
func (r *roster) park(m *member, join Ticket) (before Ticket) {
	if m.join != 0 {
		r.joining--
	}
	if join != 0 {
		r.joining++
	}
	before, m.join = m.join, join
	return before
}

// rebalanceTimeout is the longest that any member needs to come back.
func (r *roster) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, m := range r.order {
		longest = max(longest, m.rebalanceTimeout)
	}
	return longest
}

// apply makes the members those of a recorded generation. Members that are
// here already keep what the log does not hold: their waiting requests, their
// session and the other protocols they offer.
func (r *roster) apply(md *Metadata) {
	old := *r
	*r = newRoster()
	for i := range md.Members {
		recorded := &md.Members[i]
		m := old.byID[recorded.ID]
		if m == nil {
			m = &member{id: recorded.ID, synced: true}
		}
		m.adopt(recorded, md.Protocol)
		r.add(m)
	}
}

// adopt takes over what a record says of the member.
func (m *member) adopt(r *RecordedMember, chosen string) {
	m.instance, m.client = r.Instance, r.Client
	m.sessionTimeout, m.rebalanceTimeout = r.SessionTimeout, r.RebalanceTimeout
	m.assignment = r.Assignment
	if said, ok := m.metadata(chosen); !ok || !bytes.Equal(said, r.Subscription) {
		m.protocols = []protocol{{name: chosen, metadata: r.Subscription}}
	}
}
