package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/connect"
)

// topicMaker makes the topics of a source where they are missing (KIP-158).
type topicMaker struct {
	admin *kadm.Client
	how   connect.TopicCreation
	log   *slog.Logger
	there map[string]bool
}

func newTopicMaker(client *kgo.Client, how connect.TopicCreation, log *slog.Logger) *topicMaker {
	return &topicMaker{admin: kadm.NewClient(client), how: how, log: log, there: map[string]bool{}}
}

// ensure looks once per topic.
func (m *topicMaker) ensure(ctx context.Context, topic string) error {
	if m.there[topic] {
		return nil
	}
	topics, err := m.admin.ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("look up topic %s: %w", topic, err)
	}
	if !topics.Has(topic) {
		if err := m.make(ctx, topic); err != nil {
			return err
		}
	}
	m.there[topic] = true
	return nil
}

func (m *topicMaker) make(ctx context.Context, topic string) error {
	configs := map[string]*string{}
	for name, value := range m.how.Configs {
		configs[name] = &value
	}
	_, err := m.admin.CreateTopic(ctx, m.how.Partitions, m.how.ReplicationFactor, configs, topic)
	switch {
	case err == nil:
		m.log.Info("created topic", "topic", topic)
		return nil
	case errors.Is(err, kerr.TopicAlreadyExists):
		return nil
	case errors.Is(err, kerr.InvalidTopicException), errors.Is(err, kerr.InvalidConfig), errors.Is(err, kerr.InvalidPartitions):
		return connect.Permanent(fmt.Errorf("create topic %s: %w", topic, err))
	default:
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
}
