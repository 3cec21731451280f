package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// CreatePartitions (key 37, v0-3): raises the number of partitions of topics.

func (b *Broker) createPartitions(c call, req *kmsg.CreatePartitionsRequest) *kmsg.CreatePartitionsResponse {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	wishes := make([]controller.MorePartitions, 0, len(req.Topics))
	for _, t := range req.Topics {
		wish := controller.MorePartitions{Topic: t.Topic, Count: t.Count}
		for _, a := range t.Assignment {
			wish.Assignment = append(wish.Assignment, a.Replicas)
		}
		wishes = append(wishes, wish)
	}
	add := func(topic string, code int16, message *string) {
		t := kmsg.NewCreatePartitionsResponseTopic()
		t.Topic, t.ErrorCode, t.ErrorMessage = topic, code, message
		resp.Topics = append(resp.Topics, t)
	}
	ctx, cancel := timeout(c.ctx, req.TimeoutMillis)
	defer cancel()
	results, err := b.Controller.CreatePartitions(ctx, wishes, req.ValidateOnly)
	if err != nil {
		code, message := adminError(err)
		for _, t := range req.Topics {
			add(t.Topic, code, message)
		}
		return resp
	}
	for _, r := range results {
		code, message := refusal(r.Err)
		add(r.Topic, code, message)
	}
	return resp
}
