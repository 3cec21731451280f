package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
)

const (
	produceTimeout = 10 * time.Second
	// connectPause is how long a start waits before it asks the cluster again.
	connectPause = 500 * time.Millisecond
)

// topicLog is the topic as the registry needs it: append records, and have
// every record applied in order. It is the shell around State.
type topicLog struct {
	profile cluster.Profile
	topic   string
	logger  *slog.Logger
	apply   func(Record, time.Time)

	client *kgo.Client // set by open
	admin  *kadm.Client

	mu      sync.Mutex
	applied int64         // offset after the last record applied
	moved   chan struct{} // closed when applied grows
}

func newTopicLog(profile cluster.Profile, topic string, logger *slog.Logger, apply func(Record, time.Time)) *topicLog {
	return &topicLog{profile: profile, topic: topic, logger: logger, apply: apply, moved: make(chan struct{})}
}

// open connects, makes sure of the topic and starts nothing.
func (l *topicLog) open(ctx context.Context) error {
	client, err := l.profile.Client(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(produceTimeout),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they count as progress towards the end
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if err != nil {
		return err
	}
	l.client, l.admin = client, kadm.NewClient(client)
	for {
		err := l.ensureTopic(ctx)
		if err == nil {
			l.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: {0: kgo.NewOffset().AtStart()}})
			return nil
		}
		var refused *topicError
		if errors.As(err, &refused) || ctx.Err() != nil {
			l.client.Close()
			return err
		}
		l.logger.Warn("cannot reach the cluster yet", "part", "schema", "topic", l.topic, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(connectPause):
		}
	}
}

// topicError is a topic that cannot hold schemas as it is.
type topicError struct{ message string }

func (e *topicError) Error() string { return e.message }

// ensureTopic creates the topic, or checks the one that is there.
func (l *topicLog) ensureTopic(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, produceTimeout)
	defer cancel()
	compact := "compact"
	_, err := l.admin.CreateTopic(ctx, 1, -1, map[string]*string{"cleanup.policy": &compact}, l.topic)
	if err == nil {
		l.logger.Info("created the topic", "part", "schema", "topic", l.topic)
		return nil
	}
	refusal := err
	if !errors.Is(err, kerr.TopicAlreadyExists) && !errors.Is(err, kerr.TopicAuthorizationFailed) &&
		!errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return fmt.Errorf("create topic %s: %w", l.topic, err)
	}
	topics, err := l.admin.ListTopicsWithInternal(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", l.topic, err)
	}
	detail := topics[l.topic]
	if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
		return &topicError{fmt.Sprintf("topic %s does not exist and may not be created (%v): create it with 1 partition and cleanup.policy=compact, or allow CREATE", l.topic, refusal)}
	}
	if detail.Err != nil {
		return fmt.Errorf("describe topic %s: %w", l.topic, detail.Err)
	}
	if n := len(detail.Partitions); n != 1 {
		return &topicError{fmt.Sprintf("topic %s has %d partitions, and schemas need one order: recreate it with 1 partition", l.topic, n)}
	}
	return l.checkPolicy(ctx)
}

func (l *topicLog) checkPolicy(ctx context.Context) error {
	configs, err := l.admin.DescribeTopicConfigs(ctx, l.topic)
	if err == nil {
		_, err = configs.On(l.topic, nil)
	}
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		l.logger.Warn("not allowed to check the topic's cleanup.policy, which must be compact", "part", "schema", "topic", l.topic)
		return nil
	}
	if err != nil {
		return fmt.Errorf("describe configuration of topic %s: %w", l.topic, err)
	}
	described, err := configs.On(l.topic, nil)
	if err != nil {
		return err
	}
	for _, config := range described.Configs {
		if policy := config.MaybeValue(); config.Key == "cleanup.policy" && policy != "compact" {
			return &topicError{fmt.Sprintf("topic %s has cleanup.policy=%s and would lose schemas: set cleanup.policy=compact", l.topic, policy)}
		}
	}
	return nil
}

// read applies records until ctx ends. It returns an error when the topic can
// be read no further, such as after it was deleted or cut.
func (l *topicLog) read(ctx context.Context) error {
	for {
		fetches := l.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if fetches.IsClientClosed() {
			return kgo.ErrClientClosed
		}
		var fatal error
		fetches.EachError(func(_ string, _ int32, err error) {
			if kerr.IsRetriable(err) {
				l.logger.Warn("cannot read the topic", "part", "schema", "topic", l.topic, "error", err)
				return
			}
			fatal = fmt.Errorf("read topic %s: %w", l.topic, err)
		})
		if fatal != nil {
			return fatal
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				l.apply(Record{Key: r.Key, Value: r.Value}, r.Timestamp)
			}
			l.advance(r.Offset + 1)
		})
	}
}

func (l *topicLog) advance(to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to > l.applied {
		l.applied = to
		close(l.moved)
		l.moved = make(chan struct{})
	}
}

// await waits until everything before an offset is applied.
func (l *topicLog) await(ctx context.Context, offset int64) error {
	for {
		l.mu.Lock()
		applied, moved := l.applied, l.moved
		l.mu.Unlock()
		if applied >= offset {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// catchUp waits until everything that is in the topic at the time of the call
// is applied.
func (l *topicLog) catchUp(ctx context.Context) error {
	offsets, err := l.admin.ListCommittedOffsets(ctx, l.topic)
	if err != nil {
		return err
	}
	end, ok := offsets.Lookup(l.topic, 0)
	if !ok {
		return fmt.Errorf("topic %s has no partition 0", l.topic)
	}
	if end.Err != nil {
		return end.Err
	}
	start, err := l.admin.ListStartOffsets(ctx, l.topic)
	if err != nil {
		return err
	}
	if first, ok := start.Lookup(l.topic, 0); ok && first.Err == nil && first.Offset >= end.Offset {
		return nil // nothing is left to read
	}
	return l.await(ctx, end.Offset)
}

// append produces records and waits until they are applied. They are one batch
// or few; there are no transactions in this version, so a crash may leave the
// first of several.
func (l *topicLog) append(ctx context.Context, records []Record) error {
	produced := make([]*kgo.Record, len(records))
	for i, r := range records {
		produced[i] = &kgo.Record{Topic: l.topic, Key: r.Key, Value: r.Value}
	}
	results := l.client.ProduceSync(ctx, produced...)
	if err := results.FirstErr(); err != nil {
		return err
	}
	return l.await(ctx, results[len(results)-1].Record.Offset+1)
}

func (l *topicLog) close() { l.client.Close() }
