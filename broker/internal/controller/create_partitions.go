package controller

import (
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
)

// MorePartitions asks for a topic to have Count partitions in all.
type MorePartitions struct {
	Topic string
	Count int32
	// Assignment gives the replicas of each new partition; nil leaves the
	// placement to the controller.
	Assignment [][]int32
}

// PartitionsResult answers for one topic.
type PartitionsResult struct {
	Topic string
	Err   *Error
}

// CreatePartitions adds partitions to topics. Existing ones stay as they are,
// so keys may move to other partitions.
func (s State) CreatePartitions(wishes []MorePartitions, validateOnly bool) ([]metadata.Record, []PartitionsResult) {
	p := s.plan()
	results := make([]PartitionsResult, 0, len(wishes))
	for w, again := range once(wishes, func(w MorePartitions) string { return w.Topic }) {
		r := PartitionsResult{Topic: w.Topic}
		if again {
			r.Err = refuse(kerr.InvalidRequest, "topic %q occurs twice in the request", w.Topic)
		} else {
			r.Err = p.morePartitions(w)
		}
		results = append(results, r)
	}
	if validateOnly {
		return nil, results
	}
	return p.records, results
}

func (p *plan) morePartitions(w MorePartitions) *Error {
	t, ok := p.Image.Topic(w.Topic)
	if !ok {
		return unknownTopic(w.Topic)
	}
	have := len(t.Partitions)
	more := int(w.Count) - have
	switch {
	case more == 0:
		return refuse(kerr.InvalidPartitions, "topic %q already has %d partitions", w.Topic, have)
	case more < 0:
		return refuse(kerr.InvalidPartitions, "topic %q has %d partitions and cannot shrink to %d; delete and create it, or create another topic", w.Topic, have, w.Count)
	case more > mostPartitions:
		return tooMany(w.Topic)
	}
	replicas := len(t.Partitions[0].Replicas)
	assignment, err := p.placeMore(w, have, more, replicas)
	if err != nil {
		return err
	}
	return p.add(p.newPartitions(t.ID, have, assignment)...)
}

func (p *plan) placeMore(w MorePartitions, have, more, replicas int) ([][]int32, *Error) {
	if w.Assignment == nil {
		replicas, err := p.replication(w.Topic, int16(replicas))
		if err != nil {
			return nil, err
		}
		return p.spread(more, int(replicas)), nil
	}
	if len(w.Assignment) != more {
		return nil, refuse(kerr.InvalidReplicaAssignment,
			"topic %q gets %d new partitions, and replicas are assigned for %d", w.Topic, more, len(w.Assignment))
	}
	return w.Assignment, p.checkAssignment(w.Topic, have, replicas, w.Assignment)
}
