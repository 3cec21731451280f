package api

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// absent says why a partition is not among this broker's replicas. Topics are
// named by id if it is set, else by name.
func (b *Broker) absent(image *metadata.Image, name string, id metadata.UUID, index int32) error {
	if topic, ok := imageTopic(image, name, id); ok {
		switch p, exists := topic.Partition(index); {
		case !exists:
			return kerr.UnknownTopicOrPartition
		case p.Leader == b.NodeID:
			return kerr.KafkaStorageError // It should be here and could not be opened.
		}
		return kerr.NotLeaderForPartition
	}
	if !id.IsZero() {
		return kerr.UnknownTopicID
	}
	if err := controller.CheckTopicName(name); err != nil {
		return err
	}
	return kerr.UnknownTopicOrPartition
}

func imageTopic(image *metadata.Image, name string, id metadata.UUID) (*metadata.Topic, bool) {
	if id.IsZero() {
		return image.Topic(name)
	}
	return image.TopicByID(id)
}

func imagePartition(image *metadata.Image, name string, id metadata.UUID, index int32) (*metadata.Partition, bool) {
	topic, ok := imageTopic(image, name, id)
	if !ok {
		return nil, false
	}
	return topic.Partition(index)
}
