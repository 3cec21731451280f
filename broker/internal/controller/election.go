package controller

import (
	"slices"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// leave takes a broker, which is fenced already, out of every ISR and elects
// others where it led. A broker that did not stop cleanly has lost what
// pagecache topics kept in memory, so there it is no candidate either until
// it has caught up (KIP-966); fsync topics lost nothing that was acked.
func (p *plan) leave(broker int32, clean bool) *Error {
	return p.eachPartition(broker, func(rules kafkaconf.Topic, part metadata.Partition) (metadata.Partition, bool) {
		lost := !clean && rules.PageCache
		led := part.Leader == broker
		counts := led || slices.Contains(part.ISR, broker) || lost && slices.Contains(part.ELR, broker)
		if !counts {
			return part, false
		}
		eligible := union(part.ISR, part.ELR)
		if lost {
			eligible = minus(eligible, broker)
		}
		part.ISR = minus(part.ISR, broker)
		part.ELR = elr(rules, part.ISR, eligible)
		if led {
			p.elect(rules, &part)
		}
		if len(part.ISR) == 0 && len(part.ELR) == 0 {
			// It was the last candidate, though perhaps not the leader: it may
			// have crashed a second time before it led again.
			part.LastKnownLeader = broker
		}
		return part, led
	})
}

// join elects a broker, which is live again, where a partition has no leader.
func (p *plan) join(broker int32) *Error {
	return p.eachPartition(broker, func(rules kafkaconf.Topic, part metadata.Partition) (metadata.Partition, bool) {
		if part.Leader != metadata.NoLeader {
			return part, false
		}
		p.elect(rules, &part)
		return part, part.Leader != metadata.NoLeader
	})
}

// eachPartition changes every partition that has a replica on the broker.
// change also says whether there was an election, which raises the leader
// epoch even if the same broker leads again.
func (p *plan) eachPartition(broker int32, change func(kafkaconf.Topic, metadata.Partition) (metadata.Partition, bool)) *Error {
	var records []metadata.Record
	resolved := make(map[int]kafkaconf.Topic)
	for t := range p.Image.Topics() {
		rules := p.rules(t, resolved)
		for i, old := range t.Partitions {
			if !slices.Contains(old.Replicas, broker) {
				continue
			}
			next, elected := change(rules, *old)
			if r := difference(old, &next, elected); r != nil {
				r.Topic, r.Index = t.ID, int32(i)
				records = append(records, r)
			}
		}
	}
	return p.add(records...)
}

// rules resolves a topic's configs. Topics without own configs and with as
// many replicas have the same, which matters to a start with 1000 topics.
func (p *plan) rules(t *metadata.Topic, resolved map[int]kafkaconf.Topic) kafkaconf.Topic {
	if len(t.Partitions) == 0 || p.Image.Config(metadata.Resource{Type: metadata.TopicResource, Name: t.Name}) != nil {
		return p.topic(t.Name)
	}
	replicas := len(t.Partitions[0].Replicas)
	if _, ok := resolved[replicas]; !ok {
		resolved[replicas] = p.topic(t.Name)
	}
	return resolved[replicas]
}

// elect chooses a leader (package documentation, Elections) and sets what
// follows from it. Without a candidate there is none.
func (p *plan) elect(rules kafkaconf.Topic, part *metadata.Partition) {
	live := p.live()
	first := func(among []int32) int32 {
		for _, id := range part.Replicas {
			if slices.Contains(among, id) && slices.Contains(live, id) {
				return id
			}
		}
		return metadata.NoLeader
	}
	part.Leader = first(part.ISR)
	if part.Leader != metadata.NoLeader || len(part.ISR) > 0 {
		return
	}
	if part.Leader = first(part.ELR); part.Leader == metadata.NoLeader {
		if len(part.ELR) > 0 || part.LastKnownLeader == metadata.NoLeader {
			return
		}
		// The last known leader may lack acked records of a pagecache topic.
		// Nobody is known to have more, so it leads, alone; where there are
		// other replicas it recovers first.
		if part.Leader = first([]int32{part.LastKnownLeader}); part.Leader == metadata.NoLeader {
			return
		}
		part.Recovering = len(part.Replicas) > 1
	}
	part.LastKnownLeader = metadata.NoLeader
	part.ISR = []int32{part.Leader}
	part.ELR = elr(rules, part.ISR, part.ELR)
}

// elr is the eligible leader replicas for a new ISR: none while the ISR is
// large enough, else what was eligible and is no longer in sync (KIP-966).
func elr(rules kafkaconf.Topic, isr, eligible []int32) []int32 {
	if len(isr) >= rules.MinInsync {
		return []int32{}
	}
	return minus(eligible, isr...)
}

// difference is the record that turns old into next; nil where they are equal
// and there was no election.
func difference(old, next *metadata.Partition, elected bool) *metadata.PartitionChange {
	r := &metadata.PartitionChange{}
	changed := elected
	if elected {
		r.Leader = new(next.Leader)
	}
	if !slices.Equal(old.ISR, next.ISR) {
		r.ISR, changed = next.ISR, true
	}
	if !slices.Equal(old.ELR, next.ELR) {
		r.ELR, changed = next.ELR, true
	}
	if old.LastKnownLeader != next.LastKnownLeader {
		r.LastKnownLeader, changed = new(next.LastKnownLeader), true
	}
	if next.Recovering && !old.Recovering {
		r.Recovering, changed = metadata.Set, true
	}
	if !changed {
		return nil
	}
	return r
}

// minus is the list without some ids; never nil, since a nil list in a record
// means "unchanged".
func minus(ids []int32, gone ...int32) []int32 {
	left := make([]int32, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(gone, id) {
			left = append(left, id)
		}
	}
	return left
}

// union is the first list and what only the second has.
func union(a, b []int32) []int32 {
	return append(slices.Clone(a), minus(b, a...)...)
}
