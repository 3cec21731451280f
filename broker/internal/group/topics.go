package group

import (
	"iter"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// TopicID is the id of a topic (KIP-516).
type TopicID = assignor.TopicID

// Topic is what a group wants to know of a topic.
type Topic = assignor.Topic

// Topics are the cluster's topics at one moment. Members of the consumer
// protocol subscribe by name and are assigned by id, so their groups have to
// see topics, which those of the classic protocol leave to their leader.
type Topics interface {
	Topic(name string) (Topic, bool)
	TopicByID(id TopicID) (Topic, bool)
	// Names are all topics in order, the broker's own included.
	Names() iter.Seq[string]
}

// topics are the topics as of now, with a number that differs whenever they
// may have changed.
func (s *State) topics() (Topics, uint64) {
	if s.opts.Topics == nil {
		return noTopics{}, 0
	}
	return s.opts.Topics()
}

type noTopics struct{}

func (noTopics) Topic(string) (Topic, bool)      { return Topic{}, false }
func (noTopics) TopicByID(TopicID) (Topic, bool) { return Topic{}, false }
func (noTopics) Names() iter.Seq[string]         { return func(func(string) bool) {} }
