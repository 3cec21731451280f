package controller

import (
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicRef names a topic by its name or by its id, not by both.
type TopicRef struct {
	Name string
	ID   metadata.UUID
}

// DeleteResult answers for one topic; name and id are filled in where the
// topic exists.
type DeleteResult struct {
	TopicRef
	Err *Error
}

// DeleteTopics deletes topics with their configs.
func (s State) DeleteTopics(refs []TopicRef) ([]metadata.Record, []DeleteResult) {
	p := s.plan()
	results := make([]DeleteResult, 0, len(refs))
	for ref, again := range once(refs, func(ref TopicRef) TopicRef { return ref }) {
		r := DeleteResult{TopicRef: ref}
		if again {
			r.Err = refuse(kerr.InvalidRequest, "topic %s occurs twice in the request", ref)
		} else {
			r.Err = p.deleteTopic(&r.TopicRef)
		}
		results = append(results, r)
	}
	return p.records, results
}

func (ref TopicRef) String() string {
	if ref.Name != "" {
		return ref.Name
	}
	return ref.ID.String()
}

func (p *plan) deleteTopic(ref *TopicRef) *Error {
	if !p.broker("delete.topic.enable").Bool {
		return refuse(kerr.TopicDeletionDisabled, "deleting topics is switched off by delete.topic.enable=false")
	}
	t, err := p.find(*ref)
	if err != nil {
		return err
	}
	ref.Name, ref.ID = t.Name, t.ID
	return p.add(&metadata.RemoveTopic{ID: t.ID})
}

func (p *plan) find(ref TopicRef) (*metadata.Topic, *Error) {
	switch {
	case ref.Name != "" && !ref.ID.IsZero():
		return nil, refuse(kerr.InvalidRequest, "topic %s is named by name and by id (%s); give one", ref.Name, ref.ID)
	case ref.Name != "":
		if t, ok := p.Image.Topic(ref.Name); ok {
			return t, nil
		}
		return nil, unknownTopic(ref.Name)
	case !ref.ID.IsZero():
		if t, ok := p.Image.TopicByID(ref.ID); ok {
			return t, nil
		}
		return nil, refuse(kerr.UnknownTopicID, "there is no topic with id %s", ref.ID)
	}
	return nil, refuse(kerr.InvalidRequest, "a topic without name and id was given")
}

func unknownTopic(name string) *Error {
	return refuse(kerr.UnknownTopicOrPartition, "there is no topic %q", name)
}
