package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Reassignment asks for other replicas of a partition (KIP-455). Nil replicas
// take back what was asked for before.
type Reassignment struct {
	Topic     string
	Partition int32
	Replicas  []int32
}

// CheckReassignment answers a wish for other replicas. Replicas do not move
// between brokers yet: what stands is granted, everything else is refused, so
// nothing is ever under way.
func CheckReassignment(image *metadata.Image, w Reassignment) *Error {
	topic, ok := image.Topic(w.Topic)
	if !ok {
		return refuse(kerr.UnknownTopicOrPartition, "no topic %q", w.Topic)
	}
	have, ok := topic.Partition(w.Partition)
	if !ok {
		return refuse(kerr.UnknownTopicOrPartition, "topic %q has partitions 0 to %d", w.Topic, len(topic.Partitions)-1)
	}
	switch {
	case w.Replicas == nil:
		return refuse(kerr.NoReassignmentInProgress, "replicas of %s-%d are not being moved", w.Topic, w.Partition)
	case len(w.Replicas) == 0:
		return refuse(kerr.InvalidReplicaAssignment, "partition %s-%d has no replica assigned", w.Topic, w.Partition)
	case slices.Equal(w.Replicas, have.Replicas):
		return nil
	}
	for i, id := range w.Replicas {
		if slices.Contains(w.Replicas[:i], id) {
			return refuse(kerr.InvalidReplicaAssignment, "partition %s-%d is assigned twice to broker %d", w.Topic, w.Partition, id)
		}
		if _, ok := image.Broker(id); !ok {
			return refuse(kerr.InvalidReplicaAssignment, "partition %s-%d is assigned to broker %d, which is not registered", w.Topic, w.Partition, id)
		}
	}
	return refuse(kerr.InvalidReplicaAssignment, "replicas of %s-%d stay on brokers %v: they cannot be moved yet", w.Topic, w.Partition, have.Replicas)
}
