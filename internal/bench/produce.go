package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// Produce sends records by franz-go, the same client against every server.
type Produce struct {
	// RecordBytes is the size of a value, BatchBytes the most that the client
	// puts into a batch.
	RecordBytes, BatchBytes int
	Partitions              int
	// Producers are clients with connections of their own.
	Producers int
	// Acks is 0, 1 or -1 for all; all makes the producers idempotent.
	Acks       int
	Durability Durability
	Limit      Limit
}

// latencyEvery is how many records share one measured latency: a clock read
// for each would be part of what is measured.
const latencyEvery = 64

// Run puts the load on a target, on a topic of its own.
func (p Produce) Run(ctx context.Context, t *Target) (Sample, error) {
	made, err := t.create(ctx, p.Partitions, p.Durability)
	if err != nil {
		return Sample{}, err
	}
	defer t.remove(ctx, made)
	producers := make([]*producer, p.Producers)
	for i := range producers {
		client, err := t.Profile.Client(p.options(made.name)...)
		if err != nil {
			return Sample{}, err
		}
		defer client.Close()
		// The first record pays for connections and metadata.
		if err := client.ProduceSync(ctx, &kgo.Record{Value: payload(p.RecordBytes)}).FirstErr(); err != nil {
			return Sample{}, fmt.Errorf("%s: %w", t.Name, err)
		}
		producers[i] = &producer{Produce: p, client: client, value: payload(p.RecordBytes)}
	}
	return t.measure(func() (Sample, error) { return runProducers(ctx, producers, p.Limit.split(p.Producers)) })
}

func (p Produce) options(topic string) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(int32(p.BatchBytes)), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(1 << 20), kgo.MaxBufferedBytes(64 << 20), kgo.RecordDeliveryTimeout(time.Minute),
		// Records without a key fill one batch and go on to the next
		// partition, as those of Java's client do.
		kgo.RecordPartitioner(kgo.StickyPartitioner()),
	}
	switch p.Acks {
	case 0:
		return append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case 1:
		return append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	default:
		return opts
	}
}

type producer struct {
	Produce
	client *kgo.Client
	value  []byte

	sent    int64
	failed  atomic.Pointer[error]
	mu      sync.Mutex // of latency: callbacks come from the client's goroutines
	latency Histogram
}

func runProducers(ctx context.Context, producers []*producer, each Limit) (Sample, error) {
	var group errgroup.Group
	for _, p := range producers {
		group.Go(func() error { return p.run(ctx, each) })
	}
	if err := group.Wait(); err != nil {
		return Sample{}, err
	}
	s := Sample{Latency: &Histogram{}}
	for _, p := range producers {
		s.Records += p.sent
		s.Latency.Merge(&p.latency)
	}
	s.Bytes = s.Records * int64(producers[0].RecordBytes)
	return s, nil
}

func (p *producer) run(ctx context.Context, limit Limit) error {
	began := time.Now()
	for ; !limit.over(p.sent*int64(p.RecordBytes), began) && p.failed.Load() == nil; p.sent++ {
		done := p.done
		if p.sent%latencyEvery == 0 {
			done = p.timed(time.Now())
		}
		p.client.Produce(ctx, &kgo.Record{Value: p.value}, done)
	}
	if err := p.client.Flush(ctx); err != nil {
		return err
	}
	if err := p.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *producer) done(_ *kgo.Record, err error) {
	if err != nil {
		p.failed.CompareAndSwap(nil, &err)
	}
}

func (p *producer) timed(sent time.Time) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		p.mu.Lock()
		p.latency.Add(time.Since(sent))
		p.mu.Unlock()
		p.done(r, err)
	}
}
