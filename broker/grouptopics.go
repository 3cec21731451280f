package broker

import (
	"iter"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// groupTopics shows the topics of an image to consumer groups.
type groupTopics struct{ image *metadata.Image }

// Topic implements group.Topics.
func (t groupTopics) Topic(name string) (group.Topic, bool) { return topicOf(t.image.Topic(name)) }

// TopicByID implements group.Topics.
func (t groupTopics) TopicByID(id group.TopicID) (group.Topic, bool) {
	return topicOf(t.image.TopicByID(id))
}

// Names implements group.Topics.
func (t groupTopics) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for topic := range t.image.Topics() {
			if !yield(topic.Name) {
				return
			}
		}
	}
}

func topicOf(t *metadata.Topic, ok bool) (group.Topic, bool) {
	if !ok {
		return group.Topic{}, false
	}
	return group.Topic{ID: t.ID, Name: t.Name, Partitions: int32(len(t.Partitions))}, true
}
