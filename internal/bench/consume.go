package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Consume reads a topic from its start to its end by franz-go.
type Consume struct {
	// Fill is what is written first, by bare connections.
	Fill RawProduce
}

// Run fills a topic and reads it.
func (c Consume) Run(ctx context.Context, t *Target) (Sample, error) {
	made, err := t.create(ctx, c.Fill.Partitions, c.Fill.Durability)
	if err != nil {
		return Sample{}, err
	}
	defer t.remove(ctx, made)
	filled, err := c.Fill.run(ctx, made, t.PID, t.dial)
	if err != nil {
		return Sample{}, fmt.Errorf("fill %s: %w", made.name, err)
	}
	client, err := t.Profile.Client(
		kgo.ConsumeTopics(made.name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(1<<20),
	)
	if err != nil {
		return Sample{}, err
	}
	defer client.Close()
	return t.measure(func() (Sample, error) { return consume(ctx, client, filled.Records) })
}

func consume(ctx context.Context, client *kgo.Client, records int64) (Sample, error) {
	var s Sample
	for s.Records < records {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return Sample{}, errors.Join(err, ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			s.Records++
			s.Bytes += int64(len(r.Value))
		})
	}
	return s, nil
}
