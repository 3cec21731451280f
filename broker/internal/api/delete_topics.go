package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// DeleteTopics (key 20, v1-6): by name, and by id from v6 on (KIP-516). The
// topic is gone from the metadata when the answer leaves; its files follow in
// the background.

func (b *Broker) deleteTopics(c call, req *kmsg.DeleteTopicsRequest) *kmsg.DeleteTopicsResponse {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	used := b.mutations(c, 5)
	defer func() { resp.ThrottleMillis = used.settle() }()
	var refs []controller.TopicRef
	for _, ref := range topicRefs(c.Version, req) {
		if !used.admit(refKey(ref), b.heldPartitions(ref)) {
			resp.Topics = append(resp.Topics, deletedTopic(ref, errMutations.Code, nil))
			continue
		}
		refs = append(refs, ref)
	}
	ctx, cancel := timeout(c.ctx, req.TimeoutMillis)
	defer cancel()
	results, err := b.Controller.DeleteTopics(ctx, refs)
	if err != nil {
		code, message := adminError(err)
		for _, ref := range refs {
			resp.Topics = append(resp.Topics, deletedTopic(ref, code, message))
		}
		return resp
	}
	for _, r := range results {
		code, message := refusal(r.Err)
		if r.Err != nil {
			used.giveBack(refKey(r.TopicRef))
		}
		resp.Topics = append(resp.Topics, deletedTopic(r.TopicRef, code, message))
	}
	return resp
}

// refKey names a topic of a request, by whichever it is named.
func refKey(ref controller.TopicRef) string { return ref.Name + "\x00" + string(ref.ID[:]) }

// heldPartitions is how many partitions a topic has.
func (b *Broker) heldPartitions(ref controller.TopicRef) int {
	if topic, ok := imageTopic(b.image(), ref.Name, ref.ID); ok {
		return len(topic.Partitions)
	}
	return 0
}

func topicRefs(version int16, req *kmsg.DeleteTopicsRequest) []controller.TopicRef {
	var refs []controller.TopicRef
	if version < 6 {
		for _, name := range req.TopicNames {
			refs = append(refs, controller.TopicRef{Name: name})
		}
		return refs
	}
	for _, t := range req.Topics {
		ref := controller.TopicRef{ID: metadata.UUID(t.TopicID)}
		if t.Topic != nil {
			ref.Name = *t.Topic
		}
		refs = append(refs, ref)
	}
	return refs
}

func deletedTopic(ref controller.TopicRef, code int16, message *string) kmsg.DeleteTopicsResponseTopic {
	t := kmsg.NewDeleteTopicsResponseTopic()
	t.Topic, t.TopicID, t.ErrorCode, t.ErrorMessage = optional(ref.Name), ref.ID, code, message
	if code == kerr.UnknownTopicID.Code {
		t.Topic = nil
	}
	return t
}
