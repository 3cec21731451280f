package api

import (
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// endpoint is where clients of a listener reach a broker. A broker that does
// not have that listener has no address for them.
func endpoint(broker *metadata.Broker, listener string) (wire.Endpoint, bool) {
	for _, l := range broker.Listeners {
		if l.Name == listener {
			return wire.Endpoint{NodeID: broker.ID, Host: l.Host, Port: int32(l.Port), Rack: broker.Rack}, true
		}
	}
	return wire.Endpoint{}, false
}

// leaderHint tells a client whom to ask instead (KIP-951): the leader of a
// partition, with its address in leaders.
func (b *Broker) leaderHint(image *metadata.Image, p *metadata.Partition, listener string, leaders []wire.Endpoint) (wire.Leader, []wire.Endpoint) {
	broker, ok := image.Broker(p.Leader)
	if !ok {
		return wire.NoLeader, leaders
	}
	at, ok := endpoint(broker, listener)
	if !ok {
		return wire.NoLeader, leaders
	}
	hint := wire.Leader{ID: p.Leader, Epoch: p.LeaderEpoch}
	for _, known := range leaders {
		if known.NodeID == at.NodeID {
			return hint, leaders
		}
	}
	return hint, append(leaders, at)
}

// The configs of this broker, as they are at this moment.

func (b *Broker) layers() kafkaconf.Layers { return b.image().BrokerLayers(b.NodeID, b.Static) }

func (b *Broker) serverConfig() kafkaconf.Server { return b.layers().ServerConfig() }

// optional is a nullable string, null if it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
