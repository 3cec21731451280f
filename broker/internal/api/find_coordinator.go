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

// FindCoordinator (key 10, v0-6): which broker runs a group, or a
// transactional id.
//
// A key belongs to a partition of __consumer_offsets or of __transaction_state
// by its hash, and its coordinator is that partition's leader. The topic is
// created when the first client asks. From v4 on several keys are asked for at
// once (KIP-699). Coordinators of share groups do not exist:
// UNSUPPORTED_VERSION, which a client shows and does not retry.

// The topics that the broker keeps for itself.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

// coordinatorTopics are the topics of the coordinators by their type.
var coordinatorTopics = map[int8]string{0: offsetsTopic, 1: transactionsTopic}

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
	name, ok := coordinatorTopics[kind]
	switch {
	case !ok:
		return nil, &controller.Error{Code: kerr.UnsupportedVersion, Message: "this broker has no share groups"}
	case name == transactionsTopic && key == "":
		return nil, &controller.Error{Code: kerr.InvalidRequest, Message: "a transactional id is not empty"}
	}
	topic, err := b.internalTopic(ctx, name)
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
	return nil, &controller.Error{Code: kerr.CoordinatorNotAvailable, Message: "the partition of " + name + " that holds the key has no leader"}
}

// internalTopic returns a topic that the broker keeps for itself, after
// creating it if need be.
func (b *Broker) internalTopic(ctx context.Context, name string) (*metadata.Topic, *controller.Error) {
	if topic, ok := b.image().Topic(name); ok {
		return topic, nil
	}
	failed := b.autoCreate(ctx, []string{name})
	if topic, ok := b.image().Topic(name); ok {
		return topic, nil
	}
	message := name + " could not be created"
	if err := failed[name]; err != nil {
		message += ": " + err.Message
	}
	return nil, &controller.Error{Code: kerr.CoordinatorNotAvailable, Message: message}
}

// newTopic describes a topic that is created on first use.
func (b *Broker) newTopic(name string) controller.NewTopic {
	switch name {
	case offsetsTopic:
		cfg := b.layers().GroupConfig()
		return b.newInternalTopic(name, int64(cfg.OffsetsPartitions), int64(cfg.OffsetsReplicas), cfg.OffsetsSegmentBytes)
	case transactionsTopic:
		number := func(config string) int64 { return b.layers().BrokerValue("transaction.state.log." + config).Int }
		return b.newInternalTopic(name, number("num.partitions"), number("replication.factor"), number("segment.bytes"),
			controller.Config{Name: "min.insync.replicas", Value: new(strconv.FormatInt(min(number("min.isr"), b.liveReplicas(number("replication.factor"))), 10))})
	}
	return controller.NewTopic{Name: name, Partitions: -1, Replicas: -1}
}

// newInternalTopic describes a coordinators' topic. A cluster that has fewer
// brokers than the replication factor says gets as many replicas as it has
// brokers. What coordinators write is always flushed.
func (b *Broker) newInternalTopic(name string, partitions, replicas, segmentBytes int64, more ...controller.Config) controller.NewTopic {
	set := func(name, value string) controller.Config { return controller.Config{Name: name, Value: &value} }
	return controller.NewTopic{
		Name:       name,
		Partitions: int32(partitions),
		Replicas:   int16(b.liveReplicas(replicas)),
		Configs: append([]controller.Config{
			set("cleanup.policy", "compact"),
			set("compression.type", "producer"),
			set("segment.bytes", strconv.FormatInt(segmentBytes, 10)),
			set("durability", "fsync"),
		}, more...),
	}
}

// liveReplicas is how many replicas there can be.
func (b *Broker) liveReplicas(wanted int64) int64 {
	return min(wanted, max(int64(len(b.image().Brokers())), 1))
}
