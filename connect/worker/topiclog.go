package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
)

// topicSpec says how a state topic is made.
type topicSpec struct {
	name       string
	partitions int32
	single     bool // another number of partitions is an error
	replicas   int16
}

// topicLog is a compacted topic that is read from its beginning and followed,
// each record given to apply by one goroutine, in order per partition.
type topicLog struct {
	spec   topicSpec
	client *kgo.Client
	admin  *kadm.Client
	apply  func(key, value []byte)
	log    *slog.Logger

	mu    sync.Mutex
	next  map[int32]int64 // behind the last record that was applied
	moved chan struct{}   // closed and replaced when next changes
}

// openTopicLog makes the topic where it is missing and a client that reads it
// and writes it idempotently.
func openTopicLog(ctx context.Context, profile cluster.Profile, spec topicSpec, apply func(key, value []byte), log *slog.Logger) (*topicLog, error) {
	client, err := profile.Client(
		kgo.DefaultProduceTopic(spec.name), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		// A write whose outcome is unknown would outlast its context, and a
		// worker that loses its cluster would never stop. Written twice, a
		// record of these topics means the same.
		kgo.AllowIdempotentProduceCancellation(),
		// Java writes offsets in transactions: an aborted one never was.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)
	if err != nil {
		return nil, err
	}
	l := &topicLog{
		spec: spec, client: client, admin: kadm.NewClient(client), apply: apply, log: log.With("topic", spec.name),
		next: map[int32]int64{}, moved: make(chan struct{}),
	}
	if err := l.prepare(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("state topic %s: %w", spec.name, err)
	}
	return l, nil
}

func (l *topicLog) close() { l.client.Close() }

func (l *topicLog) prepare(ctx context.Context) error {
	compact := "compact"
	made, err := l.admin.CreateTopic(ctx, l.spec.partitions, l.spec.replicas, map[string]*string{"cleanup.policy": &compact}, l.spec.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		// Without the right to create, the topic may still be there to use.
		l.log.Debug("could not create the state topic", "err", err)
	}
	if made.Err == nil && err == nil {
		l.log.Info("created the state topic")
	}
	partitions, err := l.partitions(ctx)
	if err != nil {
		return err
	}
	if l.spec.single && len(partitions) != 1 {
		return fmt.Errorf("has %d partitions, and must have one: its records need one order", len(partitions))
	}
	if err := l.compacted(ctx); err != nil {
		return err
	}
	offsets := map[int32]kgo.Offset{}
	for _, p := range partitions {
		offsets[p] = kgo.NewOffset().AtStart()
	}
	l.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.spec.name: offsets})
	return nil
}

func (l *topicLog) partitions(ctx context.Context) ([]int32, error) {
	for {
		topics, err := l.admin.ListTopics(ctx, l.spec.name)
		if err != nil {
			return nil, err
		}
		topic := topics[l.spec.name]
		if topic.Err == nil && len(topic.Partitions) > 0 {
			return topic.Partitions.Numbers(), nil
		}
		if topic.Err != nil && !kerr.IsRetriable(topic.Err) {
			return nil, topic.Err
		}
		if err := pause(ctx, retryDelay); err != nil {
			return nil, errors.Join(topic.Err, err)
		}
	}
}

// compacted refuses a topic whose records retention would delete.
func (l *topicLog) compacted(ctx context.Context) error {
	configs, err := l.admin.DescribeTopicConfigs(ctx, l.spec.name)
	if err != nil || len(configs) == 0 || configs[0].Err != nil {
		l.log.Debug("could not read the config of the state topic", "err", err)
		return nil
	}
	for _, c := range configs[0].Configs {
		if c.Key == "cleanup.policy" && c.MaybeValue() != "compact" && c.MaybeValue() != "" {
			return fmt.Errorf("has cleanup.policy=%s, which would delete what is stored: set it to compact", c.MaybeValue())
		}
	}
	return nil
}

// run follows the topic until ctx ends.
func (l *topicLog) run(ctx context.Context) error {
	for {
		fetches := l.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var failed error
		fetches.EachError(func(topic string, p int32, err error) {
			failed = fmt.Errorf("read %s-%d: %w", topic, p, err)
		})
		if failed != nil {
			return failed
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() && r.Key != nil {
				l.apply(r.Key, r.Value)
			}
		})
		l.advance(fetches)
	}
}

func (l *topicLog) advance(fetches kgo.Fetches) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			l.next[p.Partition] = p.Records[n-1].Offset + 1
		}
	})
	close(l.moved)
	l.moved = make(chan struct{})
}

// wait blocks until everything below the offsets is applied.
func (l *topicLog) wait(ctx context.Context, ends map[int32]int64) error {
	for {
		l.mu.Lock()
		behind := false
		for p, end := range ends {
			behind = behind || l.next[p] < end
		}
		moved := l.moved
		l.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readToEnd blocks until everything that is in the topic at the call is
// applied.
func (l *topicLog) readToEnd(ctx context.Context) error {
	bounds, err := cluster.ListBounds(ctx, l.client, cluster.Patience, l.spec.name)
	if err != nil {
		return err
	}
	wanted := map[int32]int64{}
	for p, held := range bounds[l.spec.name] {
		if held.Start < held.End {
			wanted[p] = held.End
		}
	}
	return l.wait(ctx, wanted)
}

// put writes records, as one batch, and returns when they are acked.
func (l *topicLog) put(ctx context.Context, entries []entry) (map[int32]int64, error) {
	records := make([]*kgo.Record, len(entries))
	for i, e := range entries {
		records[i] = &kgo.Record{Key: []byte(e.key)}
		if e.value != nil {
			value, err := marshal(e.value)
			if err != nil {
				return nil, err
			}
			records[i].Value = value
		}
	}
	ends := map[int32]int64{}
	results := l.client.ProduceSync(ctx, records...)
	if err := results.FirstErr(); err != nil {
		return nil, fmt.Errorf("write %s: %w", l.spec.name, err)
	}
	for _, r := range results {
		ends[r.Record.Partition] = max(ends[r.Record.Partition], r.Record.Offset+1)
	}
	return ends, nil
}

// putAndApply writes records and waits until they were read back.
func (l *topicLog) putAndApply(ctx context.Context, entries []entry) error {
	ends, err := l.put(ctx, entries)
	if err != nil {
		return err
	}
	return l.wait(ctx, ends)
}

// clusterID asks the cluster for its id; "" if it does not say.
func (l *topicLog) clusterID(ctx context.Context) string {
	meta, err := l.admin.BrokerMetadata(ctx)
	if err != nil {
		return ""
	}
	return meta.Cluster
}

// marshal writes JSON as Kafka Connect does: no escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
