package api

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/server"
)

// Metadata (key 3, v0-13): brokers, and topics with their partitions.
//
// In v0 an empty list of topics means all; from v1 on null means all and empty
// means none. From v10 on topics are also named by id (KIP-516). A topic that
// does not exist is created if both the request and auto.create.topics.enable
// allow it; a name that no topic can have is INVALID_TOPIC_EXCEPTION either
// way.
//
// The request that creates a topic is answered with LEADER_NOT_AVAILABLE, as
// by Kafka, and the client asks again: who asks whether a topic is gone must
// not be told that it is there, because it asked. The answer waits for the
// topic, for autoCreateWait at most, so that the next one has it.

// autoCreateWait bounds how long a request waits for the topics it creates.
const autoCreateWait = 5 * time.Second

// metadata answers at once unless a topic has to be created.
func (b *Broker) metadata(r *server.Request) (server.Reply, error) {
	req, err := decode[kmsg.MetadataRequest](b, r)
	if err != nil {
		return nil, err
	}
	c := callOf(r)
	missing := b.creatable(c, req)
	if len(missing) == 0 {
		return answer(r.Header, b.describeMetadata(c, req, nil)), nil
	}
	p := &pending{h: r.Header, waker: r.Waker}
	b.background(c, func(c call) { p.finish(b.describeMetadata(c, req, b.autoCreate(c.ctx, missing))) })
	return p, nil
}

// creatable lists the topics of a request that are to be created.
func (b *Broker) creatable(c call, req *kmsg.MetadataRequest) []string {
	if c.Version >= 4 && !req.AllowAutoTopicCreation || !b.settingsOf(b.image()).autoCreate {
		return nil
	}
	var missing []string
	image := b.image()
	for _, t := range req.Topics {
		if t.Topic == nil || *t.Topic == "" && t.TopicID != [16]byte{} {
			continue
		}
		if _, exists := image.Topic(*t.Topic); !exists && !slices.Contains(missing, *t.Topic) {
			missing = append(missing, *t.Topic)
		}
	}
	return missing
}

// autoCreate creates topics with the defaults. It returns what to answer for
// those that it has created and for those that it could not; a topic that
// somebody else has created meanwhile is in neither.
func (b *Broker) autoCreate(ctx context.Context, names []string) map[string]*kerr.Error {
	ctx, cancel := context.WithTimeout(ctx, autoCreateWait)
	defer cancel()
	topics := make([]controller.NewTopic, 0, len(names))
	for _, name := range names {
		topics = append(topics, b.newTopic(name))
	}
	answers := make(map[string]*kerr.Error)
	results, err := b.Controller.CreateTopics(ctx, topics, false)
	if err != nil {
		b.Logger.Warn("topics were not created automatically", "topics", names, "error", err)
		for _, name := range names {
			answers[name] = kerr.LeaderNotAvailable
		}
		return answers
	}
	for _, result := range results {
		if result.Err == nil {
			b.Logger.Info("topic created automatically", "topic", result.Name, "partitions", result.Partitions, "replicas", result.Replicas)
			answers[result.Name] = kerr.LeaderNotAvailable
			continue
		}
		// Somebody else may have been faster: the image tells.
		if code := result.Err.Code; code.Code != kerr.TopicAlreadyExists.Code {
			answers[result.Name] = code
		}
	}
	return answers
}

func (b *Broker) describeMetadata(c call, req *kmsg.MetadataRequest, created map[string]*kerr.Error) *kmsg.MetadataResponse {
	image := b.image()
	resp := kmsg.NewPtrMetadataResponse()
	resp.ClusterID = optional(image.ClusterID())
	resp.ControllerID = b.NodeID // Whoever is asked takes it to the controller.
	resp.Brokers = metadataBrokers(image, c.listener)
	if req.Topics == nil || c.Version == 0 && len(req.Topics) == 0 {
		for topic := range image.Topics() {
			resp.Topics = append(resp.Topics, metadataTopic(image, topic, c.listener))
		}
		return resp
	}
	for _, wanted := range req.Topics {
		resp.Topics = append(resp.Topics, describeTopic(image, wanted, c.listener, created))
	}
	return resp
}

func metadataBrokers(image *metadata.Image, listener string) []kmsg.MetadataResponseBroker {
	brokers := make([]kmsg.MetadataResponseBroker, 0, len(image.Brokers()))
	for _, broker := range image.Brokers() {
		at, ok := endpoint(broker, listener)
		if !ok || broker.Fenced {
			continue
		}
		m := kmsg.NewMetadataResponseBroker()
		m.NodeID, m.Host, m.Port, m.Rack = at.NodeID, at.Host, at.Port, optional(at.Rack)
		brokers = append(brokers, m)
	}
	return brokers
}

// describeTopic answers for one topic that was named. What autoCreate says of
// it comes first.
func describeTopic(image *metadata.Image, wanted kmsg.MetadataRequestTopic, listener string, created map[string]*kerr.Error) kmsg.MetadataResponseTopic {
	refused := kmsg.NewMetadataResponseTopic()
	refused.Topic, refused.TopicID = wanted.Topic, wanted.TopicID
	if wanted.TopicID != [16]byte{} {
		if wanted.Topic != nil && *wanted.Topic != "" {
			refused.ErrorCode = kerr.InvalidRequest.Code
			return refused
		}
		if topic, ok := image.TopicByID(wanted.TopicID); ok {
			return metadataTopic(image, topic, listener)
		}
		refused.Topic, refused.ErrorCode = nil, kerr.UnknownTopicID.Code
		return refused
	}
	if wanted.Topic == nil {
		refused.Topic, refused.ErrorCode = new(""), kerr.InvalidRequest.Code
		return refused
	}
	topic, exists := image.Topic(*wanted.Topic)
	invalid := controller.CheckTopicName(*wanted.Topic)
	switch answer := created[*wanted.Topic]; {
	case answer != nil:
		refused.ErrorCode = answer.Code
	case exists:
		return metadataTopic(image, topic, listener)
	case invalid != nil:
		refused.ErrorCode = invalid.Code.Code
	default:
		refused.ErrorCode = kerr.UnknownTopicOrPartition.Code
	}
	return refused
}

func metadataTopic(image *metadata.Image, topic *metadata.Topic, listener string) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID, t.IsInternal = &topic.Name, topic.ID, isInternal(topic.Name)
	t.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(topic.Partitions))
	for i, p := range topic.Partitions {
		m := kmsg.NewMetadataResponseTopicPartition()
		m.Partition = int32(i)
		m.Leader, m.LeaderEpoch, m.Replicas, m.ISR = p.Leader, p.LeaderEpoch, p.Replicas, p.ISR
		for _, id := range p.Replicas {
			if !image.Live(id) {
				m.OfflineReplicas = append(m.OfflineReplicas, id)
			}
		}
		m.ErrorCode = leaderError(image, p.Leader, listener)
		if m.ErrorCode == kerr.LeaderNotAvailable.Code {
			m.Leader = metadata.NoLeader
		}
		t.Partitions[i] = m
	}
	return t
}

// leaderError says why clients of a listener cannot reach a leader.
func leaderError(image *metadata.Image, leader int32, listener string) int16 {
	broker, ok := image.Broker(leader)
	if !ok || broker.Fenced {
		return kerr.LeaderNotAvailable.Code
	}
	if _, ok := endpoint(broker, listener); !ok {
		return kerr.ListenerNotFound.Code
	}
	return 0
}

// isInternal says that a topic is the broker's own.
func isInternal(topic string) bool { return topic == offsetsTopic || topic == transactionsTopic }
