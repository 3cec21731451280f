package group

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// A subscription is what the members read, as far as it exists.
type subscription struct {
	members []*consumerMember // by id
	topics  []Topic           // by name
	reads   [][]int           // by member: positions in topics, ascending
}

// follow lets the group's epoch follow its members and topics, and the target
// assignment the group's epoch. Changed says that a subscription has changed;
// otherwise the topics are looked at only if they may have.
func (s *State) follow(t *Turn, changed bool) {
	c := s.consumer
	topics, version := s.topics()
	if !changed && c.seen == version && c.assigned == c.epoch {
		return
	}
	c.seen = version
	sub := c.subscription(topics)
	hash := sub.hash()
	// An epoch that has no target yet takes the change in.
	bump := changed || (hash != c.hash && c.assigned == c.epoch)
	if bump || hash != c.hash {
		s.bump(t, bump, hash)
	}
	if c.epoch > c.assigned {
		s.retarget(t, sub)
	}
}

// bump records the group's epoch, and if so raises it.
func (s *State) bump(t *Turn, raise bool, hash uint64) {
	c := s.consumer
	epoch := c.epoch
	if raise {
		epoch++
	}
	if c.legacy {
		s.record(t, &LegacyRecord{Group: s.id, Deleted: true})
	}
	s.record(t, &EpochRecord{Group: s.id, Epoch: &Epoch{At: epoch, Hash: hash}})
}

func (c *consumerGroup) subscription(topics Topics) *subscription {
	sub := &subscription{members: c.sorted()}
	found := map[string]Topic{}
	names := make([][]string, len(sub.members))
	for i, m := range sub.members {
		names[i] = c.names(m)
		for _, name := range names[i] {
			if _, ok := found[name]; ok {
				continue
			}
			if topic, ok := topics.Topic(name); ok {
				found[name] = topic
			}
		}
	}
	position := make(map[string]int, len(found))
	for i, name := range slices.Sorted(maps.Keys(found)) {
		position[name] = i
		sub.topics = append(sub.topics, found[name])
	}
	sub.reads = make([][]int, len(sub.members))
	for i := range names {
		for _, name := range names[i] {
			if at, ok := position[name]; ok {
				sub.reads[i] = append(sub.reads[i], at)
			}
		}
	}
	return sub
}

// names are the topics that a member reads, in order.
func (c *consumerGroup) names(m *consumerMember) []string {
	match := c.patterns[m.info.Pattern]
	if match == nil || len(match.Topics) == 0 {
		return m.info.Topics
	}
	all := append(slices.Clone(m.info.Topics), match.Topics...)
	slices.Sort(all)
	return slices.Compact(all)
}

// hash tells two sets of topics apart by id, name and number of partitions. It
// is 0 for none. The log keeps it, so a group that is read back is not
// rebalanced for nothing.
func (sub *subscription) hash() uint64 {
	if len(sub.topics) == 0 {
		return 0
	}
	h := fnv.New64a()
	var n [8]byte
	for i := range sub.topics {
		topic := &sub.topics[i]
		_, _ = h.Write(topic.ID[:])
		binary.BigEndian.PutUint32(n[:], uint32(len(topic.Name)))
		binary.BigEndian.PutUint32(n[4:], uint32(topic.Partitions))
		_, _ = h.Write(n[:])
		_, _ = h.Write([]byte(topic.Name))
	}
	return h.Sum64()
}

// retarget computes the target assignment of the group's epoch. Only what has
// changed is recorded.
func (s *State) retarget(t *Turn, sub *subscription) {
	c := s.consumer
	members := make([]assignor.Member, len(sub.members))
	for i, m := range sub.members {
		members[i] = assignor.Member{ID: m.id, Instance: m.info.Instance, Topics: sub.reads[i], Had: m.target}
	}
	assign, _ := assignor.ByName(s.assignor())
	for i, target := range assign(sub.topics, members) {
		if !target.Equal(sub.members[i].target) {
			s.record(t, &TargetRecord{Group: s.id, Member: sub.members[i].id, Target: target})
		}
	}
	s.record(t, &TargetEpochRecord{Group: s.id, Epoch: c.epoch})
}

// assignors are the names that the broker offers, the default first.
func (s *State) assignors() []string {
	if len(s.opts.Consumer.Assignors) > 0 {
		return s.opts.Consumer.Assignors
	}
	return []string{assignor.UniformName, assignor.RangeName}
}

// assignor is the name that most members wish for.
func (s *State) assignor() string {
	votes := map[string]int{}
	for _, m := range s.consumer.members {
		votes[m.info.Assignor]++
	}
	names := s.assignors()
	winner := names[0]
	for _, name := range names[1:] {
		if votes[name] > votes[winner] {
			winner = name
		}
	}
	return winner
}
