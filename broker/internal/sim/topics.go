package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/vfs"
)

// topicModel is what is known of a topic.
type topicModel struct {
	partitions int32
	state      topicState
	id         metadata.UUID
}

// topicState is what clients know of a topic.
type topicState uint8

const (
	// wanted: its creation was sent, and no reply has come.
	wanted topicState = iota
	created
	// unwanted: its deletion was sent, and no reply has come.
	unwanted
)

// created reports whether a topic is there for certain.
func (w *World) created(name string) bool {
	t := w.topics[name]
	return t != nil && t.state == created
}

// createTopic creates a topic: the coordinators' first, then others, also
// under the names of some that were deleted.
func (w *World) createTopic() error {
	name, partitions := offsetsTopic, w.plan.offsetPartitions
	if w.created(name) {
		name, partitions = fmt.Sprintf("t%d", 1+w.steps.IntN(w.plan.topics)), 1+w.steps.Int32N(2)
	}
	t := w.topics[name]
	switch {
	case t == nil:
		t = &topicModel{partitions: partitions}
		w.topics[name] = t
	case t.state != wanted:
		return nil
	}
	var result controller.TopicResult
	err := w.life.propose(func(s controller.State) ([]metadata.Record, error) {
		records, results := s.CreateTopics([]controller.NewTopic{{Name: name, Partitions: t.partitions, Replicas: 1}}, false)
		result = results[0]
		return records, nil
	})
	if err != nil || w.dead() {
		return w.metadataFailed(err)
	}
	if result.Err != nil {
		return fmt.Errorf("topic %s cannot be created: %w", name, result.Err)
	}
	w.trace.add("topic %s created", name)
	w.welcome(name, result.ID)
	return nil
}

// deleteTopic deletes a topic with all that is in it.
func (w *World) deleteTopic() error {
	name := fmt.Sprintf("t%d", 1+w.steps.IntN(w.plan.topics))
	t := w.topics[name]
	if t == nil || t.state == wanted {
		return nil
	}
	t.state = unwanted
	var result controller.DeleteResult
	err := w.life.propose(func(s controller.State) ([]metadata.Record, error) {
		records, results := s.DeleteTopics([]controller.TopicRef{{Name: name}})
		result = results[0]
		return records, nil
	})
	if err != nil || w.dead() {
		return w.metadataFailed(err)
	}
	if result.Err != nil {
		return fmt.Errorf("topic %s cannot be deleted: %w", name, result.Err)
	}
	w.trace.add("topic %s deleted", name)
	w.farewell(name)
	return nil
}

// metadataFailed ends the process: without its metadata log it must not go on.
func (w *World) metadataFailed(err error) error {
	if errors.Is(err, errBroken) || vfs.IsNoSpace(err) {
		w.disk.die(w.drawEnding(), "the metadata log failed")
	}
	if w.dead() {
		return nil
	}
	return err
}

// welcome lets the producers write to a topic that is there.
func (w *World) welcome(name string, id metadata.UUID) {
	t := w.topics[name]
	t.state, t.id = created, id
	if name == offsetsTopic {
		return
	}
	for index := range t.partitions {
		at := partitionID{name, index}
		for _, p := range w.producers {
			w.lanes = append(w.lanes, &lane{producer: p, at: at})
		}
		for _, x := range w.transactors {
			x.lanes = append(x.lanes, &lane{producer: &producer{id: x.id}, owner: x, at: at, epoch: x.epoch})
		}
	}
}

// farewell forgets a topic that is gone.
func (w *World) farewell(name string) {
	delete(w.topics, name)
	gone := func(l *lane) bool { return l.at.topic == name }
	w.lanes = slices.DeleteFunc(w.lanes, gone)
	for _, x := range w.transactors {
		x.forget(gone)
	}
	maps.DeleteFunc(w.logs, func(id partitionID, _ *logModel) bool { return id.topic == name })
	maps.DeleteFunc(w.life.highest, func(id partitionID, _ int64) bool { return id.topic == name })
}

// checkTopics holds the metadata that a life finds against what was
// acknowledged. What was sent without a reply may have happened or not.
func (w *World) checkTopics(image *metadata.Image) error {
	for _, name := range slices.Sorted(maps.Keys(w.topics)) {
		t := w.topics[name]
		found, ok := image.Topic(name)
		switch {
		case t.state == created && !ok:
			return fmt.Errorf("lost metadata: topic %s was created and is gone", name)
		case t.state != wanted && ok && found.ID != t.id:
			return fmt.Errorf("lost metadata: topic %s has id %v and was created with %v", name, found.ID, t.id)
		case t.state == unwanted && !ok:
			w.farewell(name)
		case t.state == wanted && ok:
			w.welcome(name, found.ID)
		}
	}
	for topic := range image.Topics() {
		if w.topics[topic.Name] == nil {
			return fmt.Errorf("lost metadata: topic %s was deleted and is back", topic.Name)
		}
	}
	return nil
}
