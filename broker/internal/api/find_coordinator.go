package api

import (
	"context"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// FindCoordinator (key 10, v0-6): which broker runs a group.
//
// A group belongs to a partition of __consumer_offsets by the hash of its id,
// and its coordinator is that partition's leader. The topic is created when
// the first client asks. From v4 on several keys are asked for at once
// (KIP-699). Coordinators of transactions and of share groups do not exist:
// UNSUPPORTED_VERSION, which a client shows and does not retry.

// The topics that the broker keeps for itself.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

const groupCoordinator = 0

func (b *Broker) findCoordinator(c call, req *kmsg.FindCoordinatorRequest) *kmsg.FindCoordinatorResponse {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if c.Version < 4 {
		found := b.coordinatorOf(c, req.CoordinatorType, req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = found.ErrorCode, found.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = found.NodeID, found.Host, found.Port
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, b.coordinatorOf(c, req.CoordinatorType, key))
	}
	return resp
}

func (b *Broker) coordinatorOf(c call, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	found := kmsg.NewFindCoordinatorResponseCoordinator()
	found.Key, found.NodeID, found.Port = key, -1, -1
	leader, err := b.coordinator(c.ctx, kind, key)
	if err != nil {
		found.ErrorCode, found.ErrorMessage = err.Code.Code, &err.Message
		return found
	}
	if at, ok := endpoint(leader, c.listener); ok {
		found.NodeID, found.Host, found.Port = at.NodeID, at.Host, at.Port
		return found
	}
	found.ErrorCode = kerr.CoordinatorNotAvailable.Code
	found.ErrorMessage = new("broker " + strconv.Itoa(int(leader.ID)) + " has no listener " + c.listener)
	return found
}

func (b *Broker) coordinator(ctx context.Context, kind int8, key string) (*metadata.Broker, *controller.Error) {
	if kind != groupCoordinator {
		return nil, &controller.Error{Code: kerr.UnsupportedVersion, Message: "this broker has no transactions and no share groups"}
	}
	topic, err := b.offsets(ctx)
	if err != nil {
		return nil, err
	}
	image := b.image()
	p, ok := topic.Partition(coordinator.PartitionFor(key, int32(len(topic.Partitions))))
	if ok {
		if leader, live := image.Broker(p.Leader); live && !leader.Fenced {
			return leader, nil
		}
	}
	return nil, &controller.Error{Code: kerr.CoordinatorNotAvailable, Message: "the group's partition of " + offsetsTopic + " has no leader"}
}

// offsets returns the topic of groups and offsets, after creating it if need
// be.
func (b *Broker) offsets(ctx context.Context) (*metadata.Topic, *controller.Error) {
	if topic, ok := b.image().Topic(offsetsTopic); ok {
		return topic, nil
	}
	failed := b.autoCreate(ctx, []string{offsetsTopic})
	if topic, ok := b.image().Topic(offsetsTopic); ok {
		return topic, nil
	}
	message := offsetsTopic + " could not be created"
	if err := failed[offsetsTopic]; err != nil {
		message += ": " + err.Message
	}
	return nil, &controller.Error{Code: kerr.CoordinatorNotAvailable, Message: message}
}

// newOffsetsTopic describes __consumer_offsets. A cluster that has fewer
// brokers than offsets.topic.replication.factor says gets as many replicas as
// it has brokers. What groups commit is always flushed.
func (b *Broker) newOffsetsTopic() controller.NewTopic {
	cfg := b.layers().GroupConfig()
	set := func(name, value string) controller.Config { return controller.Config{Name: name, Value: &value} }
	return controller.NewTopic{
		Name:       offsetsTopic,
		Partitions: int32(cfg.OffsetsPartitions),
		Replicas:   int16(min(cfg.OffsetsReplicas, max(len(b.image().Brokers()), 1))),
		Configs: []controller.Config{
			set("cleanup.policy", "compact"),
			set("compression.type", "producer"),
			set("segment.bytes", strconv.FormatInt(cfg.OffsetsSegmentBytes, 10)),
			set("durability", "fsync"),
		},
	}
}
