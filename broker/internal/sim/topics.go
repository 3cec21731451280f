package sim

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// topicModel is what is known of a topic.
type topicModel struct {
	partitions int32
	// acked is set once its creation was acknowledged.
	acked bool
	id    metadata.UUID
}

// createTopic creates the next topic: the coordinators' first.
func (w *World) createTopic() error {
	name, partitions := offsetsTopic, w.plan.offsetPartitions
	if len(w.topics) > 0 {
		name, partitions = fmt.Sprintf("t%d", len(w.topics)), 1+w.steps.Int32N(2)
	}
	if t := w.topics[offsetsTopic]; t != nil && !t.acked {
		name = offsetsTopic // a life ended in its creation
	} else if len(w.topics) > w.plan.topics {
		return nil
	}
	t := w.topics[name]
	if t == nil {
		t = &topicModel{partitions: partitions}
		w.topics[name] = t
	}
	var result controller.TopicResult
	err := w.life.propose(func(s controller.State) ([]metadata.Record, error) {
		records, results := s.CreateTopics([]controller.NewTopic{{Name: name, Partitions: t.partitions, Replicas: 1}}, false)
		result = results[0]
		return records, nil
	})
	switch {
	case w.dead():
		return nil
	case errors.Is(err, errBroken):
		w.disk.die(powerLoss, "the metadata log failed")
		return nil
	case err != nil:
		return err
	case result.Err != nil:
		return fmt.Errorf("topic %s cannot be created: %w", name, result.Err)
	}
	t.acked, t.id = true, result.ID
	w.trace.add("topic %s created", name)
	w.addLanes(name, t)
	return nil
}

// addLanes lets the producers write to a new topic.
func (w *World) addLanes(name string, t *topicModel) {
	if name == offsetsTopic {
		return
	}
	for index := range t.partitions {
		id := partitionID{name, index}
		for _, p := range w.producers {
			if p.lanes[id] == nil {
				p.lanes[id] = &lane{producer: p, at: id}
				w.lanes = append(w.lanes, p.lanes[id])
			}
		}
	}
}

// checkTopics holds the metadata that a life finds against what was
// acknowledged.
func (w *World) checkTopics(image *metadata.Image) error {
	for name, t := range w.topics {
		found, ok := image.Topic(name)
		switch {
		case !ok && t.acked:
			return fmt.Errorf("lost metadata: topic %s was created and is gone", name)
		case ok && t.acked && found.ID != t.id:
			return fmt.Errorf("lost metadata: topic %s has id %v and was created with %v", name, found.ID, t.id)
		case ok && !t.acked:
			t.acked, t.id = true, found.ID // its reply was lost
			w.addLanes(name, t)
		}
	}
	return nil
}
