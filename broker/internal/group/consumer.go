package group

import (
	"maps"
	"slices"
	"time"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// A consumerGroup is what a group of the consumer protocol (KIP-848) is beside
// its offsets.
//
// Three epochs tell how far it is. The group's grows with every change of
// members, subscriptions or topics. The target's is that of the newest target
// assignment, and a member's is that of the target which it has reached. The
// target follows the group at the next heartbeat, whoever sends it; members
// follow the target one by one, each with its own heartbeats.
//
//	group epoch ──assignor──▶ target epoch ──reconcile──▶ member epoch
type consumerGroup struct {
	// What the log holds.
	epoch    int32
	hash     uint64 // of the subscribed topics, by which the epoch grew last
	assigned int32  // epoch of the target assignment
	members  map[string]*consumerMember
	patterns map[string]*Match // what each pattern matched last
	// legacy says that the log holds a record of partition metadata, which
	// Kafka 4.0 wrote and nobody needs.
	legacy bool

	// What follows from that.
	instances map[string]string // instance -> member id
	owners    map[TopicID]map[int32]string
	users     map[string]int // members by pattern

	// seen is the number of the topics that hash was compared with.
	seen uint64
	// matched is the number of the topics that each pattern was held against.
	matched map[string]uint64
}

func newConsumerGroup() *consumerGroup {
	return &consumerGroup{
		members: map[string]*consumerMember{}, patterns: map[string]*Match{},
		instances: map[string]string{}, owners: map[TopicID]map[int32]string{}, users: map[string]int{}, matched: map[string]uint64{},
	}
}

// phase is where the group stands.
func (c *consumerGroup) phase() Phase {
	switch {
	case len(c.members) == 0:
		return Empty
	case c.epoch > c.assigned:
		return Assigning
	}
	for _, m := range c.members {
		if !m.reconciled(c.assigned) {
			return Reconciling
		}
	}
	return Stable
}

// sorted are the members by id: equal groups do equal things in equal order.
func (c *consumerGroup) sorted() []*consumerMember {
	list := make([]*consumerMember, 0, len(c.members))
	for _, id := range slices.Sorted(maps.Keys(c.members)) {
		list = append(list, c.members[id])
	}
	return list
}

// static finds the member of an instance.
func (c *consumerGroup) static(instance string) *consumerMember {
	return c.members[c.instances[instance]]
}

// free reports whether nobody but the member owns the partition.
func (c *consumerGroup) free(m *consumerMember, topic TopicID, partition int32) bool {
	owner, ok := c.owners[topic][partition]
	return !ok || owner == m.id
}

// reads are the topics that the members read, whether they exist or not.
func (c *consumerGroup) reads() map[string]bool {
	topics := map[string]bool{}
	for _, m := range c.members {
		for _, name := range c.names(m) {
			topics[name] = true
		}
	}
	return topics
}

// ---- what records do

// asConsumer makes this a group of the consumer protocol, if it is not. What is
// left of a classic one has had its tombstone, which compaction may have taken.
func (s *State) asConsumer() *consumerGroup {
	if s.consumer == nil {
		s.applyMetadata(nil, time.Time{})
		s.phase = Empty
		s.consumer = newConsumerGroup()
	}
	return s.consumer
}

// applyConsumer makes a record of the consumer protocol true. Tombstones of a
// group that is not there say nothing.
func (s *State) applyConsumer(rec consumerRecord, now time.Time) {
	if s.consumer == nil && rec.tombstone() {
		return
	}
	c := s.asConsumer()
	switch rec := rec.(type) {
	case *EpochRecord:
		if rec.tombstone() {
			s.dissolve()
			return
		}
		c.epoch, c.hash = rec.Epoch.At, rec.Epoch.Hash
	case *TargetEpochRecord:
		c.assigned = max(rec.Epoch, 0)
	case *MemberRecord:
		s.applyMember(c, rec, now)
	case *TargetRecord:
		if m := c.members[rec.Member]; m != nil {
			m.target = rec.Target
		} else if !rec.tombstone() {
			s.member(c, rec.Member, now).target = rec.Target
		}
	case *CurrentRecord:
		s.applyCurrent(c, rec, now)
	case *PatternRecord:
		if rec.tombstone() {
			delete(c.patterns, rec.Pattern)
			delete(c.matched, rec.Pattern)
		} else {
			c.patterns[rec.Pattern] = rec.Match
		}
	case *LegacyRecord:
		c.legacy = !rec.Deleted
	}
}

// dissolve ends the group as one of the consumer protocol; offsets stay.
func (s *State) dissolve() {
	s.consumer = nil
	s.phase = s.remains()
}

// member finds a member, or begins it: compaction may have left a later record
// of a member before its first.
func (s *State) member(c *consumerGroup, id string, now time.Time) *consumerMember {
	m := c.members[id]
	if m == nil {
		m = &consumerMember{id: id, target: assignor.Assignment{}}
		c.members[id] = m
		s.touchConsumer(m, now)
	}
	return m
}

func (s *State) applyMember(c *consumerGroup, rec *MemberRecord, now time.Time) {
	if rec.tombstone() {
		m := c.members[rec.Member]
		if m == nil {
			return
		}
		c.disown(m)
		if c.instances[m.info.Instance] == m.id {
			delete(c.instances, m.info.Instance)
		}
		c.use(m.info.Pattern, -1)
		delete(c.members, m.id)
		return
	}
	m := s.member(c, rec.Member, now)
	c.use(m.info.Pattern, -1)
	m.info, m.recorded = *rec.Info, true
	c.use(m.info.Pattern, 1)
	s.touchConsumer(m, now)
	if m.info.Instance != "" {
		c.instances[m.info.Instance] = m.id
	}
}

func (s *State) applyCurrent(c *consumerGroup, rec *CurrentRecord, now time.Time) {
	if rec.tombstone() {
		if m := c.members[rec.Member]; m != nil {
			c.disown(m)
			m.current = Current{}
		}
		return
	}
	m := s.member(c, rec.Member, now)
	c.disown(m)
	m.current = *rec.Current
	c.own(m, m.current.Assigned)
	c.own(m, m.current.Revoking)
	m.revokeBy = time.Time{}
	if m.current.State == Unrevoked && !m.classic() {
		m.revokeBy = now.Add(m.info.RebalanceTimeout)
		s.arm(m.revokeBy)
	}
}

func (c *consumerGroup) own(m *consumerMember, h Holding) {
	for topic, partitions := range h {
		if c.owners[topic] == nil {
			c.owners[topic] = make(map[int32]string, len(partitions))
		}
		for p := range partitions {
			c.owners[topic][p] = m.id
		}
	}
}

func (c *consumerGroup) disown(m *consumerMember) {
	for _, h := range []Holding{m.current.Assigned, m.current.Revoking} {
		for topic, partitions := range h {
			for p := range partitions {
				if c.owners[topic][p] == m.id {
					delete(c.owners[topic], p)
				}
			}
			if len(c.owners[topic]) == 0 {
				delete(c.owners, topic)
			}
		}
	}
}

// touchConsumer begins a member's session anew.
func (s *State) touchConsumer(m *consumerMember, now time.Time) {
	timeout := s.timing().SessionTimeout
	if m.classic() {
		timeout = m.info.Classic.SessionTimeout
	}
	m.deadline = now.Add(timeout)
	s.arm(m.deadline)
}

// timing are the intervals that hold for this group.
func (s *State) timing() Timing {
	if s.opts.Consumer.TimingOf == nil {
		return s.opts.Consumer.Timing
	}
	return s.opts.Consumer.TimingOf(s.id)
}
