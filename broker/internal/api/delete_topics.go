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
	refs := topicRefs(c.Version, req)
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
		resp.Topics = append(resp.Topics, deletedTopic(r.TopicRef, code, message))
	}
	return resp
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
