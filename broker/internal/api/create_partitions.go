package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// CreatePartitions (key 37, v0-3): raises the number of partitions of topics.

func (b *Broker) createPartitions(c call, req *kmsg.CreatePartitionsRequest) *kmsg.CreatePartitionsResponse {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	used := b.mutations(c, 3)
	defer func() { resp.ThrottleMillis = used.settle() }()
	add := func(topic string, code int16, message *string) {
		t := kmsg.NewCreatePartitionsResponseTopic()
		t.Topic, t.ErrorCode, t.ErrorMessage = topic, code, message
		resp.Topics = append(resp.Topics, t)
	}
	wishes := make([]controller.MorePartitions, 0, len(req.Topics))
	for _, t := range req.Topics {
		wish := controller.MorePartitions{Topic: t.Topic, Count: t.Count}
		for _, a := range t.Assignment {
			wish.Assignment = append(wish.Assignment, a.Replicas)
		}
		added := int(wish.Count) - b.heldPartitions(controller.TopicRef{Name: wish.Topic})
		if !req.ValidateOnly && !used.admit(wish.Topic, added) {
			add(wish.Topic, errMutations.Code, nil)
			continue
		}
		wishes = append(wishes, wish)
	}
	ctx, cancel := timeout(c.ctx, req.TimeoutMillis)
	defer cancel()
	results, err := b.Controller.CreatePartitions(ctx, wishes, req.ValidateOnly)
	if err != nil {
		code, message := adminError(err)
		for _, t := range wishes {
			add(t.Topic, code, message)
		}
		return resp
	}
	for _, r := range results {
		code, message := refusal(r.Err)
		if r.Err != nil {
			used.giveBack(r.Topic)
		}
		add(r.Topic, code, message)
	}
	return resp
}
