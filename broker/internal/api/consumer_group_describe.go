package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ConsumerGroupDescribe (key 69, v0-1; KIP-848): members of the consumer
// protocol with what they have and what they shall have. v1 tells members that
// speak the classic protocol from the others. A group that is unknown or
// classic is GROUP_ID_NOT_FOUND.

func (b *Broker) consumerGroupDescribe(c call, req *kmsg.ConsumerGroupDescribeRequest, reply func(*kmsg.ConsumerGroupDescribeResponse)) {
	resp := kmsg.NewPtrConsumerGroupDescribeResponse()
	resp.Groups = make([]kmsg.ConsumerGroupDescribeResponseGroup, len(req.Groups))
	gather(len(req.Groups), func(i int, answered func()) {
		b.Coordinator.DescribeConsumerGroup(c.ctx, req.Groups[i], func(group kmsg.ConsumerGroupDescribeResponseGroup) {
			resp.Groups[i] = group
			answered()
		})
	}, func() { reply(resp) })
}
