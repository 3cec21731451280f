package brokertest

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/cluster"
)

// Cluster is a running broker.
type Cluster struct {
	t testing.TB
	b *broker.Broker
}

type options struct {
	config broker.Config
	topics []topic
}

type topic struct {
	name       string
	partitions int32
	configs    map[string]string
}

// Option changes what Start starts.
type Option func(*options)

// Dir keeps the data in a directory, so that a second Start finds it.
func Dir(path string) Option { return func(o *options) { o.config.DataDir = path } }

// InMemory makes the broker reachable through Cluster and Kgo only, without a
// socket.
func InMemory() Option { return func(o *options) { o.config.Listeners = nil } }

// Topic makes a topic before Start returns.
func Topic(name string, partitions int32) Option {
	return func(o *options) { o.topics = append(o.topics, topic{name: name, partitions: partitions}) }
}

// Property sets a broker config by Kafka's name.
func Property(key, value string) Option {
	return func(o *options) { o.config.Properties[key] = value }
}

// Metrics is where the broker registers its metrics; nowhere without it.
func Metrics(registerer prometheus.Registerer) Option {
	return func(o *options) { o.config.Metrics = registerer }
}

// Address makes the broker listen there instead of on a free port.
func Address(address string) Option {
	return func(o *options) { o.config.Listeners = []broker.Listener{{Name: "test", Address: address}} }
}

// Start starts a broker that is closed when the test ends. Its log goes to the
// test's output where the test fails.
func Start(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	o := options{config: broker.Config{
		Listeners:        []broker.Listener{{Name: "test", Address: "127.0.0.1:0"}},
		Properties:       broker.Development(),
		LowerReplication: true,
		Logger:           slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}}
	o.config.Properties["offsets.topic.num.partitions"] = "1"
	for _, opt := range opts {
		opt(&o)
	}
	b, err := broker.Start(t.Context(), o.config)
	if err != nil {
		t.Fatalf("start broker: %v", err)
	}
	c := &Cluster{t: t, b: b}
	t.Cleanup(c.Close)
	for _, topic := range o.topics {
		c.CreateTopic(topic.name, topic.partitions, topic.configs)
	}
	return c
}

// Virtual runs f in a synctest bubble with a broker that has neither sockets
// nor files. Clients must be made in f, by Kgo or from Cluster.
func Virtual(t *testing.T, f func(t *testing.T, b *Cluster), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, Start(t, append([]Option{InMemory()}, opts...)...))
	})
}

// Close ends the broker before the test does, as a clean stop.
func (c *Cluster) Close() {
	c.t.Helper()
	if err := c.b.Close(); err != nil {
		c.t.Errorf("close broker: %v", err)
	}
}

// Broker is the broker itself.
func (c *Cluster) Broker() *broker.Broker { return c.b }

// Addrs are the addresses of the broker's sockets, for clients of any kind.
func (c *Cluster) Addrs() []string { return c.b.Addrs() }

// Cluster is the profile by which streams, schema, connect and mirrormaker
// reach the broker.
func (c *Cluster) Cluster() cluster.Profile { return c.b.Cluster() }

// Kgo returns a franz-go client of the broker that is closed with the test.
func (c *Cluster) Kgo(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := c.Cluster().Client(opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// CreateTopic makes a topic; configs are by Kafka's names.
func (c *Cluster) CreateTopic(name string, partitions int32, configs map[string]string) {
	c.t.Helper()
	client := c.Kgo()
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, -1
	for k, v := range configs {
		entry := kmsg.NewCreateTopicsRequestTopicConfig()
		entry.Name, entry.Value = k, &v
		t.Configs = append(t.Configs, entry)
	}
	req.Topics = append(req.Topics, t)
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	resp, err := req.RequestWith(ctx, client)
	switch {
	case err != nil:
		c.t.Fatalf("create topic %s: %v", name, err)
	case resp.Topics[0].ErrorCode != 0 && resp.Topics[0].ErrorMessage != nil:
		c.t.Fatalf("create topic %s: %s", name, *resp.Topics[0].ErrorMessage)
	case resp.Topics[0].ErrorCode != 0:
		c.t.Fatalf("create topic %s: error code %d", name, resp.Topics[0].ErrorCode)
	}
}

// Produce writes records to a topic, as key and value in turn, and waits for
// their acks.
func (c *Cluster) Produce(topic string, keysAndValues ...string) {
	c.t.Helper()
	client := c.Kgo(kgo.AllowAutoTopicCreation())
	defer client.Close()
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		r := &kgo.Record{Topic: topic, Key: []byte(keysAndValues[i]), Value: []byte(keysAndValues[i+1])}
		if err := client.ProduceSync(c.t.Context(), r).FirstErr(); err != nil {
			c.t.Fatalf("produce to %s: %v", topic, err)
		}
	}
}
