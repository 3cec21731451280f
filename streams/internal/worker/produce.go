package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/streams/internal/topology"
)

// producer writes what tasks emit. It implements task.Output.
type producer struct {
	ctx    context.Context // ends when nobody waits for the records any more
	client *kgo.Client
	mu     sync.Mutex
	failed error // the first record that could not be written
}

// Emit implements task.Output. It waits only while the client's buffer is
// full.
func (p *producer) Emit(out topology.Outgoing, acked *atomic.Int64) error {
	var headers []kgo.RecordHeader
	for _, h := range out.Headers {
		headers = append(headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	record := &kgo.Record{
		Topic: out.Topic, Partition: out.Partition, Key: out.Key, Value: out.Value,
		Timestamp: time.UnixMilli(out.Timestamp), Headers: headers,
	}
	p.client.Produce(p.ctx, record, func(r *kgo.Record, err error) {
		switch {
		case err != nil:
			p.fail(fmt.Errorf("write to topic %s, %d bytes: %w", r.Topic, len(r.Key)+len(r.Value), err))
		case acked != nil:
			acked.Store(r.Offset + 1) // in order within a partition
		}
	})
	return nil
}

// flush waits until everything emitted is acknowledged.
func (p *producer) flush(ctx context.Context) error {
	if err := p.client.Flush(ctx); err != nil {
		return err
	}
	return p.err()
}

func (p *producer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
	}
}

func (p *producer) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// partitioner leaves the partition to records that name one, and chooses by
// key, as Kafka's own clients do, for the others.
type partitioner struct{ byKey kgo.Partitioner }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner.
func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != topology.AnyPartition || p.byKey.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition != topology.AnyPartition {
		return int(r.Partition)
	}
	return p.byKey.Partition(r, n)
}

// OnNewBatch implements kgo.TopicPartitionerOnNewBatch, for keyless records.
func (p topicPartitioner) OnNewBatch() {
	if b, ok := p.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
