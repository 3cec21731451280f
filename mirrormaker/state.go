package mirrormaker

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// StateTopic is where flows keep their positions, in the target cluster.
const StateTopic = "__millrace_mirror_state"

// state reads and writes the positions of one flow.
type state struct {
	flow      string
	client    *kgo.Client
	positions map[topicPartition]progress.Position // as they were when the flow began
}

// openState makes the state topic where it is missing and reads the flow's
// positions to its end.
func openState(ctx context.Context, profile cluster.Profile, flow string) (*state, error) {
	client, err := profile.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	s := &state{flow: flow, client: client, positions: map[topicPartition]progress.Position{}}
	if err = s.create(ctx); err != nil {
		err = fmt.Errorf("create %s at the target: %w", StateTopic, err)
	} else if err = s.load(ctx, profile); err != nil {
		err = fmt.Errorf("read %s at the target: %w", StateTopic, err)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) create(ctx context.Context) error {
	configs := map[string]*string{"cleanup.policy": new("compact")}
	_, err := kadm.NewClient(s.client).CreateTopic(ctx, 1, -1, configs, StateTopic)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

func (s *state) load(ctx context.Context, profile cluster.Profile) error {
	bounds, err := cluster.ListBounds(ctx, s.client, readTimeout, StateTopic)
	if err != nil {
		return err
	}
	held := bounds[StateTopic][0]
	return read(ctx, profile, span{StateTopic, 0, held.Start, held.End}, func(r *kgo.Record) (more bool) {
		key, position, err := progress.Decode(r.Key, r.Value)
		if err != nil || key.Flow != s.flow {
			return true // another flow's, or a kind of record that is not ours to read
		}
		tp := topicPartition{key.Topic, key.Partition}
		if position == nil {
			delete(s.positions, tp)
		} else {
			s.positions[tp] = *position
		}
		return true
	})
}

// write makes positions durable at the target.
func (s *state) write(ctx context.Context, moved []*partition, positions []progress.Position) error {
	records := make([]*kgo.Record, 0, len(moved))
	for i, p := range moved {
		key, value, err := progress.Encode(s.flow, p.topic, p.partition, positions[i])
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: StateTopic, Key: key, Value: value})
	}
	return s.client.ProduceSync(ctx, records...).FirstErr()
}

func (s *state) close() { s.client.Close() }
