package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/group"
)

// ConsumerGroupHeartbeat (key 68, v0-1; KIP-848): a member of the consumer
// protocol joins, stays, takes over and gives up partitions, and leaves.
//
// From v1 on members choose their ids (KIP-1082) and may subscribe by a pattern
// that the coordinator resolves. All rules are the coordinator's but one: where
// the feature group.version is taken away, the answer is UNSUPPORTED_VERSION,
// upon which clients fall back to the classic protocol.

func (b *Broker) consumerGroupHeartbeat(c call, req *kmsg.ConsumerGroupHeartbeatRequest, reply func(*kmsg.ConsumerGroupHeartbeatResponse)) {
	if b.image().Feature(controller.GroupVersion) < 1 {
		reply(group.RefuseConsumerBeat(kerr.UnsupportedVersion, "The cluster has not finalized "+controller.GroupVersion+"."))
		return
	}
	b.Coordinator.ConsumerGroupHeartbeat(c.ctx, c.ClientID, c.clientHost, req, reply)
}
