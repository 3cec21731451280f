package api

import (
	"context"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// Controller takes decisions to whoever is the active controller, here or on
// another broker. Every call returns when the decision holds and this node has
// acted on it, or with an error when that is not known: ctx ended, or there is
// no controller.
type Controller interface {
	CreateTopics(ctx context.Context, topics []controller.NewTopic, validateOnly bool) ([]controller.TopicResult, error)
	DeleteTopics(ctx context.Context, refs []controller.TopicRef) ([]controller.DeleteResult, error)
	CreatePartitions(ctx context.Context, wishes []controller.MorePartitions, validateOnly bool) ([]controller.PartitionsResult, error)
	// AlterConfigs changes single configs if incremental, else it replaces all
	// that a resource has.
	AlterConfigs(ctx context.Context, wishes []controller.AlterConfig, incremental, validateOnly bool) ([]controller.ConfigResult, error)
	// AlterClientQuotas answers for the wishes in their order.
	AlterClientQuotas(ctx context.Context, wishes []controller.AlterQuota, validateOnly bool) ([]*controller.Error, error)
	// AlterScram changes credentials, all of a user or none, and answers once
	// for each user.
	AlterScram(ctx context.Context, wishes []controller.ScramWish) ([]controller.ScramResult, error)
	// UpdateFeatures updates all features or none; a refusal is a
	// *controller.Error.
	UpdateFeatures(ctx context.Context, updates []controller.FeatureUpdate, validateOnly bool) error
	// AllocateProducerIDs reserves a block of producer ids for this node.
	AllocateProducerIDs(ctx context.Context) (controller.IDBlock, error)
}
