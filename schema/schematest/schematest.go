package schematest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/registry"
)

// readyTimeout is how long a registry may take to start.
const readyTimeout = 30 * time.Second

// Registry is a registry that lives as long as its test.
type Registry struct {
	t        testing.TB
	registry *registry.Registry
	server   *httptest.Server
	profile  cluster.Profile
	client   *schema.Client
}

// New starts a registry and returns when it serves. Its topic is on the
// cluster of the profile, or without one on a broker in memory that is
// the test's own.
func New(t testing.TB, profile ...cluster.Profile) *Registry {
	t.Helper()
	config := registry.Config{Logger: slog.New(slog.DiscardHandler)}
	if len(profile) > 0 {
		config.Cluster = profile[0]
	} else {
		config.Cluster = memoryKafka(t)
	}
	return Start(t, config)
}

// Start is New with a configuration.
func Start(t testing.TB, config registry.Config) *Registry {
	t.Helper()
	reg, err := registry.New(config)
	if err != nil {
		t.Fatalf("schematest: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- reg.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("schematest: %v", err)
		}
	})
	select {
	case <-reg.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("schematest: registry ended: %v", err)
	case <-time.After(readyTimeout):
		t.Fatalf("schematest: registry is not ready after %v", readyTimeout)
	}
	server := httptest.NewServer(reg.Handler())
	t.Cleanup(server.Close)
	client, err := schema.NewClient(server.URL)
	if err != nil {
		t.Fatalf("schematest: %v", err)
	}
	t.Cleanup(client.Close)
	return &Registry{t: t, registry: reg, server: server, profile: config.Cluster, client: client}
}

func memoryKafka(t testing.TB) cluster.Profile {
	t.Helper()
	return brokertest.Start(t, brokertest.InMemory()).Cluster()
}

// URL is the registry's address.
func (r *Registry) URL() string { return r.server.URL }

// Client is a client of the registry. The test closes it.
func (r *Registry) Client() *schema.Client { return r.client }

// Cluster is the profile of the cluster that holds the registry's topic.
func (r *Registry) Cluster() cluster.Profile { return r.profile }

// Register registers an Avro schema and returns its id; it fails the test if
// the registry refuses.
func (r *Registry) Register(subject, text string) int {
	r.t.Helper()
	id, err := r.client.Register(r.t.Context(), subject, schema.Definition{Text: text})
	if err != nil {
		r.t.Fatalf("schematest: %v", err)
	}
	return id
}
