package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// EndToEnd sends records at a fixed rate and takes the time until a consumer
// has each. The time begins when a record was due, not when it was sent: a
// server that stalls is charged for all that had to wait meanwhile.
type EndToEnd struct {
	RecordBytes int
	Rate        int // per second
	Partitions  int
	Acks        int
	Durability  Durability
	Time        time.Duration
}

// Run puts the load on a target, on a topic of its own.
func (e EndToEnd) Run(ctx context.Context, t *Target) (Sample, error) {
	made, err := t.create(ctx, e.Partitions, e.Durability)
	if err != nil {
		return Sample{}, err
	}
	defer t.remove(ctx, made)
	load := Produce{RecordBytes: e.RecordBytes, BatchBytes: 1 << 20, Acks: e.Acks}
	producer, err := t.Profile.Client(append(load.options(made.name), kgo.ProducerLinger(0))...)
	if err != nil {
		return Sample{}, err
	}
	defer producer.Close()
	consumer, err := t.Profile.Client(
		kgo.ConsumeTopics(made.name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second),
	)
	if err != nil {
		return Sample{}, err
	}
	defer consumer.Close()
	if err := e.begin(ctx, producer, consumer); err != nil {
		return Sample{}, fmt.Errorf("%s: %w", t.Name, err)
	}
	return t.measure(func() (Sample, error) { return e.run(ctx, producer, consumer) })
}

// begin lets one record through, which pays for connections and metadata.
func (e EndToEnd) begin(ctx context.Context, producer, consumer *kgo.Client) error {
	if err := producer.ProduceSync(ctx, &kgo.Record{Value: make([]byte, e.RecordBytes)}).FirstErr(); err != nil {
		return err
	}
	for {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil || fetches.NumRecords() > 0 {
			return err
		}
	}
}

func (e EndToEnd) run(ctx context.Context, producer, consumer *kgo.Client) (Sample, error) {
	count := int64(e.Time.Seconds() * float64(e.Rate))
	s := Sample{Latency: &Histogram{}, Records: count, Bytes: count * int64(e.RecordBytes)}
	epoch := time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.Time+time.Minute)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.send(ctx, producer, count, epoch) })
	group.Go(func() error { return e.receive(ctx, consumer, count, epoch, s.Latency) })
	return s, group.Wait()
}

// send puts the time when each record was due into its first bytes.
func (e EndToEnd) send(ctx context.Context, producer *kgo.Client, count int64, epoch time.Time) error {
	failed := make(chan error, 1)
	pace := newPace(epoch, time.Second/time.Duration(e.Rate))
	defer pace.end()
	for range count {
		due := pace.next()
		value := make([]byte, max(e.RecordBytes, 8))
		binary.BigEndian.PutUint64(value, uint64(due.Sub(epoch)))
		producer.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
		select {
		case err := <-failed:
			return err
		default:
		}
	}
	return producer.Flush(ctx)
}

func (e EndToEnd) receive(ctx context.Context, consumer *kgo.Client, count int64, epoch time.Time, h *Histogram) error {
	for h.Count() < count {
		fetches := consumer.PollFetches(ctx)
		now := time.Since(epoch)
		if err := fetches.Err(); err != nil {
			return errors.Join(err, ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			h.Add(now - time.Duration(binary.BigEndian.Uint64(r.Value)))
		})
	}
	return nil
}
