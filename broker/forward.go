package broker

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quorum"
)

// forwarder takes decisions to the active controller. That is this node, the
// only voter: its state machine decides within the quorum's serial queue, and
// the call returns when apply.go has acted on the records.
type forwarder struct {
	runner *quorum.Runner
	rules  controller.Rules
	broker int32
	epoch  int64 // of this broker's registration; set before clients are served
	logger *slog.Logger
}

// decision is what one evaluation of the controller gives: a result for the
// caller and, on a refusal of the whole, why.
type decision[T any] struct {
	result T
	err    *controller.Error
}

func decide[T any](ctx context.Context, f *forwarder, build func(controller.State) ([]metadata.Record, T, *controller.Error)) (T, error) {
	d, err := quorum.Propose(ctx, f.runner, func(i *metadata.Image) ([]metadata.Record, decision[T]) {
		records, result, refusal := build(controller.State{Image: i, Rules: f.rules})
		return records, decision[T]{result, refusal}
	})
	if err == nil && d.err != nil {
		err = d.err
	}
	return d.result, err
}

// CreateTopics implements api.Controller.
func (f *forwarder) CreateTopics(ctx context.Context, topics []controller.NewTopic, validateOnly bool) ([]controller.TopicResult, error) {
	results, err := decide(ctx, f, func(s controller.State) ([]metadata.Record, []controller.TopicResult, *controller.Error) {
		records, results := s.CreateTopics(topics, validateOnly)
		return records, results, nil
	})
	for _, r := range results {
		if r.Lowered != 0 && r.Err == nil {
			f.logger.Warn("replication factor lowered to the number of brokers", "topic", r.Name, "asked", r.Lowered, "got", r.Replicas)
		}
	}
	return results, err
}

// DeleteTopics implements api.Controller.
func (f *forwarder) DeleteTopics(ctx context.Context, refs []controller.TopicRef) ([]controller.DeleteResult, error) {
	return decide(ctx, f, func(s controller.State) ([]metadata.Record, []controller.DeleteResult, *controller.Error) {
		records, results := s.DeleteTopics(refs)
		return records, results, nil
	})
}

// CreatePartitions implements api.Controller.
func (f *forwarder) CreatePartitions(ctx context.Context, wishes []controller.MorePartitions, validateOnly bool) ([]controller.PartitionsResult, error) {
	return decide(ctx, f, func(s controller.State) ([]metadata.Record, []controller.PartitionsResult, *controller.Error) {
		records, results := s.CreatePartitions(wishes, validateOnly)
		return records, results, nil
	})
}

// AlterConfigs implements api.Controller.
func (f *forwarder) AlterConfigs(ctx context.Context, wishes []controller.AlterConfig, incremental, validateOnly bool) ([]controller.ConfigResult, error) {
	return decide(ctx, f, func(s controller.State) ([]metadata.Record, []controller.ConfigResult, *controller.Error) {
		alter := s.AlterConfigs
		if incremental {
			alter = s.IncrementalAlterConfigs
		}
		records, results := alter(wishes, validateOnly)
		return records, results, nil
	})
}

// AlterClientQuotas implements api.Controller.
func (f *forwarder) AlterClientQuotas(ctx context.Context, wishes []controller.AlterQuota, validateOnly bool) ([]*controller.Error, error) {
	return decide(ctx, f, func(s controller.State) ([]metadata.Record, []*controller.Error, *controller.Error) {
		records, results := s.AlterClientQuotas(wishes, validateOnly)
		return records, results, nil
	})
}

// AlterScram implements api.Controller.
func (f *forwarder) AlterScram(ctx context.Context, wishes []controller.ScramWish) ([]controller.ScramResult, error) {
	return decide(ctx, f, func(s controller.State) ([]metadata.Record, []controller.ScramResult, *controller.Error) {
		records, results := s.AlterScram(wishes)
		return records, results, nil
	})
}

// UpdateFeatures implements api.Controller.
func (f *forwarder) UpdateFeatures(ctx context.Context, updates []controller.FeatureUpdate, validateOnly bool) error {
	_, err := decide(ctx, f, func(s controller.State) ([]metadata.Record, struct{}, *controller.Error) {
		records, refusal := s.UpdateFeatures(updates, validateOnly)
		return records, struct{}{}, refusal
	})
	return err
}

// AllocateProducerIDs implements api.Controller.
func (f *forwarder) AllocateProducerIDs(ctx context.Context) (controller.IDBlock, error) {
	return decide(ctx, f, func(s controller.State) ([]metadata.Record, controller.IDBlock, *controller.Error) {
		return s.AllocateProducerIDs(f.broker, f.epoch)
	})
}

// newID draws an id of 128 random bits.
func newID() (id metadata.UUID) {
	_, _ = rand.Read(id[:]) // never fails: it ends the process instead
	return id
}
