package broker

import (
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/txn"
	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// now is the clock of a broker that is not simulated.
func now() time.Time { return time.Now() }

// static are the configs that the broker was started with, by Kafka's names.
func (b *Broker) static() map[string]string {
	m := maps.Clone(b.cfg.Properties)
	if m == nil {
		m = map[string]string{}
	}
	m["node.id"] = strconv.Itoa(int(b.cfg.NodeID))
	return m
}

// groupOptions are the settings of the groups, with the topics of the images
// that are published.
func (b *Broker) groupOptions(layers kafkaconf.Layers) coordinator.GroupOptions {
	c := layers.GroupConfig()
	return coordinator.GroupOptions{
		Group: group.Options{
			Consumer: b.consumerOptions(layers.ConsumerGroupConfig()),
			Topics: func() (group.Topics, uint64) {
				image := b.images.Image()
				return groupTopics{image}, image.Index()
			},
			InitialRebalanceDelay: c.InitialRebalanceDelay,
			MinSessionTimeout:     c.MinSessionTimeout,
			MaxSessionTimeout:     c.MaxSessionTimeout,
			MaxSize:               c.MaxSize,
			OffsetRetention:       c.OffsetsRetention,
			MaxMetadata:           c.OffsetMetadataMax,
		},
		ExpiryInterval: c.OffsetsCheckInterval,
		Logger:         b.cfg.Logger,
	}
}

func (b *Broker) consumerOptions(c kafkaconf.ConsumerGroups) group.ConsumerOptions {
	static := b.static()
	return group.ConsumerOptions{
		TimingOf: func(id string) group.Timing {
			image := b.images.Image()
			layers := image.BrokerLayers(b.cfg.NodeID, static)
			layers.Group = image.Config(metadata.Resource{Type: metadata.GroupResource, Name: id})
			heartbeat, session := layers.GroupTiming()
			return group.Timing{HeartbeatInterval: heartbeat, SessionTimeout: session}
		},
		MaxSize:   unbounded(c.MaxSize),
		Assignors: c.Assignors,
		Migration: group.Migration{Upgrade: c.Upgrade, Downgrade: c.Downgrade},
	}
}

func quotaConfig(c kafkaconf.Quotas) quota.Config {
	return quota.Config{Window: c.Window, MutationWindow: c.MutationWindow, MaxRequestThrottle: c.MaxRequestThrottle}
}

func (b *Broker) transactionOptions(c kafkaconf.Layers) coordinator.TransactionOptions {
	return coordinator.TransactionOptions{
		Txn: txn.Options{
			MaxTimeout: c.BrokerValue("transaction.max.timeout.ms").Milliseconds(),
			Expiration: c.BrokerValue("transactional.id.expiration.ms").Milliseconds(),
		},
		Markers: &markers{b.replicas, b.groups},
		Logger:  b.cfg.Logger,
	}
}

func (b *Broker) serverConfig() server.Config {
	c := b.images.Image().BrokerLayers(b.cfg.NodeID, b.static()).ServerConfig()
	return server.Config{
		MaxRequestBytes: c.RequestMaxBytes, MaxQueuedBytes: queuedBytes(c.QueuedMaxRequestBytes), IdleTimeout: c.ConnectionsMaxIdle,
		Limits: b.limits, Gate: b.quotas,
		Logger: b.cfg.Logger, Metrics: b.metrics.server(),
	}
}

// queuedBytes bounds the requests in flight: what is configured, or a quarter
// of the memory that the process may use (GOMEMLIMIT); 0 leaves it to the
// server where neither is set.
func queuedBytes(configured int64) int64 {
	if configured > 0 {
		return configured
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 { // -1 only asks
		return limit / 4
	}
	return 0
}

// limits are the bounds of connections at this moment.
func (b *Broker) limits() server.Limits {
	c := b.images.Image().BrokerLayers(b.cfg.NodeID, b.static()).ServerConfig()
	return server.Limits{
		Connections: fewer(unbounded(c.MaxConnections), connectionsWithin(descriptorLimit())), PerIP: unbounded(c.MaxConnectionsPerIP), Overrides: c.ConnectionOverrides,
	}
}

// unbounded turns Kafka's default of as many as there can be into the
// server's 0.
func unbounded(n int) int {
	if n == 1<<31-1 {
		return 0
	}
	return n
}

// endpoints are the addresses that clients of each listener are told.
func (b *Broker) endpoints(listeners []server.Listener) ([]metadata.Listener, error) {
	all := []metadata.Listener{{Name: internalListener, Host: fmt.Sprintf("node-%d", b.cfg.NodeID), Port: internalPort}}
	for i, l := range b.cfg.Listeners {
		address := l.Advertise
		if address == "" {
			address = advertised(listeners[i+1].Addr())
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("listener %s: port %q: %w", l.Name, port, err)
		}
		all = append(all, metadata.Listener{Name: l.Name, Host: host, Port: uint16(n)})
	}
	return all, nil
}

// advertised is the bound address, or the machine's name where every address
// is bound.
func advertised(bound net.Addr) string {
	tcp, ok := bound.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return bound.String()
	}
	host := "localhost"
	if name, err := os.Hostname(); err == nil {
		host = name
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}
