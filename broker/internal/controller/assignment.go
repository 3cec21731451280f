package controller

import (
	"slices"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
)

// live lists the brokers that can take replicas.
func (p *plan) live() []int32 {
	var ids []int32
	for _, b := range p.Image.Brokers() {
		if !b.Fenced && !b.ShuttingDown {
			ids = append(ids, b.ID)
		}
	}
	return ids
}

// spread places partitions round robin over the live brokers. It begins where
// the number of existing partitions says, so that single-partition topics
// don't all land on the first broker; and it is no lottery, so that the same
// requests give the same placement.
func (p *plan) spread(partitions, replicas int) [][]int32 {
	brokers := p.live()
	start := p.Image.PartitionCount()
	all := make([][]int32, partitions)
	for i := range all {
		all[i] = make([]int32, replicas)
		for r := range all[i] {
			all[i][r] = brokers[(start+i+r)%len(brokers)]
		}
	}
	return all
}

// byHand checks the assignment that a client gave for a new topic.
func (p *plan) byHand(t NewTopic, room int) ([][]int32, *Error) {
	if len(t.Assignment) > room {
		return nil, tooMany(t.Name)
	}
	all := make([][]int32, len(t.Assignment))
	for _, a := range t.Assignment {
		if a.Partition < 0 || int(a.Partition) >= len(all) || all[a.Partition] != nil {
			return nil, refuse(kerr.InvalidReplicaAssignment,
				"topic %q: the assigned partitions must be 0 to %d, each once; %d is not", t.Name, len(all)-1, a.Partition)
		}
		if len(a.Brokers) == 0 {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partition %s-%d has no replica assigned", t.Name, a.Partition)
		}
		all[a.Partition] = slices.Clone(a.Brokers)
	}
	return all, p.checkAssignment(t.Name, 0, len(all[0]), all)
}

// checkAssignment checks the replicas of partitions from first on.
func (p *plan) checkAssignment(topic string, first, replicas int, all [][]int32) *Error {
	for i, ids := range all {
		if err := p.checkReplicas(topic, first+i, replicas, ids); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) checkReplicas(topic string, partition, replicas int, ids []int32) *Error {
	if len(ids) != replicas {
		return refuse(kerr.InvalidReplicaAssignment,
			"partition %s-%d is assigned %d replicas and others %d; all must have the same number", topic, partition, len(ids), replicas)
	}
	live := p.live()
	anyLive := false
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return refuse(kerr.InvalidReplicaAssignment, "partition %s-%d is assigned twice to broker %d", topic, partition, id)
		}
		if _, ok := p.Image.Broker(id); !ok {
			return refuse(kerr.InvalidReplicaAssignment, "partition %s-%d is assigned to broker %d, which is not registered", topic, partition, id)
		}
		anyLive = anyLive || slices.Contains(live, id)
	}
	if !anyLive {
		return refuse(kerr.InvalidReplicaAssignment, "none of the brokers assigned to partition %s-%d is live", topic, partition)
	}
	return nil
}

// newPartitions makes the records of new partitions from index first on. The
// live replicas are in sync, since there is nothing to catch up with.
func (p *plan) newPartitions(topic metadata.UUID, first int, assignment [][]int32) []metadata.Record {
	live := p.live()
	records := make([]metadata.Record, 0, len(assignment))
	for i, replicas := range assignment {
		isr := slices.DeleteFunc(slices.Clone(replicas), func(id int32) bool { return !slices.Contains(live, id) })
		records = append(records, &metadata.NewPartition{Topic: topic, Index: int32(first + i), Partition: metadata.Partition{
			Replicas: replicas, ISR: isr, Leader: isr[0], LastKnownLeader: metadata.NoLeader,
		}})
	}
	return records
}
