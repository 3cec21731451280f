package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// CreateTopics (key 19, v2-7): topics with partitions, replicas and configs.
//
// -1 asks for the broker's default of partitions and replicas (KIP-464, v4).
// From v5 on the answer shows what the topic got, configs included (KIP-525).
// It leaves when this node leads or follows the topic, so a producer may use
// it at once.

func (b *Broker) createTopics(c call, req *kmsg.CreateTopicsRequest) *kmsg.CreateTopicsResponse {
	resp := kmsg.NewPtrCreateTopicsResponse()
	used := b.mutations(c, 6)
	defer func() { resp.ThrottleMillis = used.settle() }()
	topics := make([]controller.NewTopic, 0, len(req.Topics))
	for _, t := range req.Topics {
		topic := newTopic(t)
		if !req.ValidateOnly && !used.admit(t.Topic, b.wantedPartitions(topic)) {
			resp.Topics = append(resp.Topics, failedTopic(t.Topic, errMutations.Code, nil))
			continue
		}
		topics = append(topics, topic)
	}
	ctx, cancel := timeout(c.ctx, req.TimeoutMillis)
	defer cancel()
	results, err := b.Controller.CreateTopics(ctx, topics, req.ValidateOnly)
	if err != nil {
		code, message := adminError(err)
		for _, t := range topics {
			resp.Topics = append(resp.Topics, failedTopic(t.Name, code, message))
		}
		return resp
	}
	for _, r := range results {
		if r.Err != nil {
			used.giveBack(r.Name)
		}
		resp.Topics = append(resp.Topics, b.createdTopic(r))
	}
	return resp
}

func failedTopic(name string, code int16, message *string) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic, t.ErrorCode, t.ErrorMessage = name, code, message
	return t
}

// wantedPartitions is how many partitions a topic would have.
func (b *Broker) wantedPartitions(t controller.NewTopic) int {
	switch {
	case len(t.Assignment) > 0:
		return len(t.Assignment)
	case t.Partitions == -1:
		return int(b.layers().BrokerValue("num.partitions").Int)
	}
	return int(t.Partitions)
}

func newTopic(t kmsg.CreateTopicsRequestTopic) controller.NewTopic {
	topic := controller.NewTopic{Name: t.Topic, Partitions: t.NumPartitions, Replicas: t.ReplicationFactor}
	for _, a := range t.ReplicaAssignment {
		topic.Assignment = append(topic.Assignment, controller.Replicas{Partition: a.Partition, Brokers: a.Replicas})
	}
	for _, c := range t.Configs {
		topic.Configs = append(topic.Configs, controller.Config{Name: c.Name, Value: c.Value})
	}
	return topic
}

func (b *Broker) createdTopic(r controller.TopicResult) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic = r.Name
	if r.Err != nil {
		t.ErrorCode, t.ErrorMessage = refusal(r.Err)
		return t
	}
	t.TopicID, t.NumPartitions, t.ReplicationFactor = r.ID, r.Partitions, r.Replicas
	layers := b.image().TopicLayers(r.Name, b.NodeID, b.Static)
	layers.Topic = r.Configs
	layers.Replicas = int(r.Replicas)
	for _, key := range listed(kafkaconf.TopicScope, r.Configs) {
		entry, _ := layers.Resolve(kafkaconf.TopicScope, key.Name)
		cfg := kmsg.NewCreateTopicsResponseTopicConfig()
		cfg.Name, cfg.Value, cfg.Source = key.Name, valueOf(entry), int8(entry.Source)
		t.Configs = append(t.Configs, cfg)
	}
	return t
}

// timeout bounds a decision by what the client is ready to wait.
func timeout(ctx context.Context, millis int32) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(max(millis, 0))*time.Millisecond)
}

// refusal splits a controller's error as responses carry it.
func refusal(err *controller.Error) (code int16, message *string) {
	if err == nil {
		return 0, nil
	}
	return err.Code.Code, &err.Message
}

// decisionError answers for a decision that was refused as a whole, or not
// reached.
func decisionError(err error) (code int16, message *string) {
	if refused, ok := errors.AsType[*controller.Error](err); ok {
		return refusal(refused)
	}
	return adminError(err)
}

// adminError answers for a decision that was not reached: nobody knows whether
// it will be.
func adminError(err error) (code int16, message *string) {
	text := err.Error()
	switch known := codeOf(err); known {
	case kerr.UnknownServerError:
		return kerr.RequestTimedOut.Code, &text
	default:
		return known.Code, &text
	}
}
