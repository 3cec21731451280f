package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/schema/compat"
)

// Config says what a registry runs on. Only Cluster is required.
type Config struct {
	// Cluster holds the topic.
	Cluster cluster.Profile
	// Topic is where schemas are kept; "_schemas" when empty.
	Topic string
	// Compatibility is the level that holds where none is set; BACKWARD when
	// empty.
	Compatibility compat.Level
	// ResponseProfile is the generation of Confluent's API that replies look
	// like: 8, the default, or 7, which leaves out what clients of the time
	// do not know (the type of Avro schemas, guid, ts, deleted).
	ResponseProfile int
	// Logger receives what operators should know; slog.Default when nil.
	Logger *slog.Logger
	// Metrics registers the registry's metrics; none when nil.
	Metrics prometheus.Registerer
}

// Registry is a schema registry.
type Registry struct {
	config  Config
	log     *topicLog
	parsed  parsedSchemas
	metrics *metrics
	router  router
	// turn holds a token while no write is under way. A write takes it from
	// planning until its records are applied, so plans see each other.
	turn chan struct{}
	// unsure is set when a write failed and may have taken place; it belongs to
	// the holder of the turn.
	unsure    bool
	ready     chan struct{}
	serving   atomic.Bool
	clusterID atomic.Pointer[string]

	mu    sync.RWMutex
	state *State
}

// New makes a registry. It contacts nothing until Run.
func New(config Config) (*Registry, error) {
	if err := config.Cluster.Validate(); err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	if config.Topic == "" {
		config.Topic = "_schemas"
	}
	if config.Compatibility == "" {
		config.Compatibility = compat.Backward
	}
	if _, err := compat.ParseLevel(string(config.Compatibility)); err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	switch config.ResponseProfile {
	case 0:
		config.ResponseProfile = 8
	case 7, 8:
	default:
		return nil, fmt.Errorf("schema registry: response profile %d: need 7 or 8", config.ResponseProfile)
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	r := &Registry{config: config, turn: make(chan struct{}, 1), ready: make(chan struct{}), state: NewState()}
	r.state.defaultLevel = config.Compatibility
	r.turn <- struct{}{}
	r.log = newTopicLog(config.Cluster, config.Topic, config.Logger, r.apply)
	r.router = newRouter(r)
	var err error
	if r.metrics, err = newMetrics(config.Metrics, r.count); err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return r, nil
}

// Run reads the topic, creating it if need be, and keeps the registry's state
// at its end until ctx ends. It returns nil then, and an error when the topic
// is not fit to hold schemas or can be read no further. Run may be called
// once.
func (r *Registry) Run(ctx context.Context) error {
	if err := r.log.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("schema registry: %w", err)
	}
	defer r.log.close()
	defer r.serving.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	var starting sync.WaitGroup
	defer starting.Wait()
	defer cancel() // before the wait: deferred calls run last to first
	starting.Go(func() { r.becomeReady(ctx) })
	if err := r.log.read(ctx); err != nil {
		return fmt.Errorf("schema registry: %w", err)
	}
	return nil
}

// becomeReady serves from the moment that the topic is read to its end.
func (r *Registry) becomeReady(ctx context.Context) {
	began := time.Now()
	for {
		err := r.log.catchUp(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		r.config.Logger.Warn("cannot find the end of the topic yet", "part", "schema", "topic", r.config.Topic, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(connectPause):
		}
	}
	if meta, err := r.log.admin.BrokerMetadata(ctx); err == nil {
		r.clusterID.Store(&meta.Cluster)
	}
	r.serving.Store(true)
	close(r.ready)
	r.mu.RLock()
	schemas, subjects, conflicts, skipped := len(r.state.ids), len(r.state.subjects), r.state.Conflicts, r.state.Skipped
	r.mu.RUnlock()
	r.config.Logger.Info("schema registry is ready", "part", "schema", "topic", r.config.Topic, "schemas", schemas,
		"subjects", subjects, "conflicts", conflicts, "skipped", skipped, "took", time.Since(began))
}

// Ready is closed when the registry serves.
func (r *Registry) Ready() <-chan struct{} { return r.ready }

// Handler serves the REST API. Before Ready it answers 503.
func (r *Registry) Handler() http.Handler { return http.HandlerFunc(r.serve) }

func (r *Registry) apply(record Record, at time.Time) {
	r.mu.Lock()
	err := r.state.Apply(record, at)
	r.mu.Unlock()
	if err != nil {
		r.config.Logger.Warn("skipped a record of the topic", "part", "schema", "topic", r.config.Topic, "error", err)
	}
}

func (r *Registry) count() float64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return float64(len(r.state.ids))
}

// view looks something up in the state.
func view[V any](r *Registry, look func(*State) (V, error)) (V, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return look(r.state)
}

// change plans a write, produces its records and waits until they are applied.
// The plan runs while no other write is under way. The caller's context bounds
// only the wait for the turn: a write that has begun is carried through.
func change[V any](ctx context.Context, r *Registry, plan func(*State) ([]Record, V, error)) (V, error) {
	var none V
	select {
	case <-r.turn:
	case <-ctx.Done():
		return none, errTimeout()
	}
	defer func() { r.turn <- struct{}{} }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), produceTimeout)
	defer cancel()
	if r.unsure {
		if err := r.log.catchUp(ctx); err != nil {
			return none, writeError(err)
		}
		r.unsure = false
	}
	r.mu.RLock()
	records, outcome, err := plan(r.state)
	r.mu.RUnlock()
	if err != nil || len(records) == 0 {
		return outcome, err
	}
	if err := r.log.append(ctx, records); err != nil {
		r.unsure = true
		return none, writeError(err)
	}
	return outcome, nil
}

func writeError(err error) error {
	switch {
	case errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge):
		return errTooLarge(err)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrRecordTimeout):
		return errTimeout()
	default:
		return errStore(err)
	}
}
