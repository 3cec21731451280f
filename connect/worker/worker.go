package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/schema"
)

// Config is what a worker needs. Cluster and Plugins are required; zero
// values of the others are the defaults.
type Config struct {
	Cluster cluster.Profile
	Plugins []connect.Plugin
	// Group is the prefix of the state topics, "connect" by default.
	Group string
	// ConfigTopic and OffsetTopic are <group>-configs and <group>-offsets.
	ConfigTopic, OffsetTopic string
	// OffsetPartitions is 25, as in Kafka Connect; it counts when the topic
	// is made.
	OffsetPartitions int32
	// ReplicationFactor of the state topics; 0 is the broker's default.
	ReplicationFactor int16
	// OffsetFlushInterval is how often positions are made durable, 5s.
	OffsetFlushInterval time.Duration
	// SessionTimeout is how long the partitions of a killed worker's sinks
	// wait before others take them, 6s.
	SessionTimeout time.Duration
	// TaskMemory bounds what one task buffers, 64 MiB.
	TaskMemory int64
	// Connectors run without a config topic; REST cannot change them.
	Connectors []connect.Connector
	// Seed is written to the config topic at the start, each where it
	// differs: the connectors of the file of configuration.
	Seed []connect.Connector
	// Secrets says what placeholders in connectors may read.
	Secrets connect.Secrets
	// Schemas is the registry of the avro converter; by default that of the
	// cluster profile, if it names one.
	Schemas *schema.Client
	// Advertise is the worker id, the address of its REST interface.
	Advertise string
	Logger    *slog.Logger
	// Metrics is where the worker's metrics are registered; nil is nowhere.
	Metrics prometheus.Registerer
}

func (c Config) withDefaults() Config {
	c.Group = cmp.Or(c.Group, "connect")
	c.ConfigTopic = cmp.Or(c.ConfigTopic, c.Group+"-configs")
	c.OffsetTopic = cmp.Or(c.OffsetTopic, c.Group+"-offsets")
	c.OffsetPartitions = cmp.Or(c.OffsetPartitions, 25)
	c.ReplicationFactor = cmp.Or(c.ReplicationFactor, -1)
	c.OffsetFlushInterval = cmp.Or(c.OffsetFlushInterval, 5*time.Second)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 6*time.Second)
	c.TaskMemory = cmp.Or(c.TaskMemory, 64<<20)
	c.Advertise = cmp.Or(c.Advertise, "127.0.0.1:8083")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// The errors of the worker's methods, beside *connect.ConfigError.
var (
	// ErrStarting is returned before the worker has read its topics.
	ErrStarting = errors.New("worker: still reading its state, or stopped")
	// ErrNotFound is returned for a connector or task that does not exist.
	ErrNotFound = errors.New("worker: not found")
	// ErrExists is returned by Create.
	ErrExists = errors.New("worker: exists already")
	// ErrFixed is returned for changes of a worker that runs from a file.
	ErrFixed = errors.New("worker: its connectors come from a file and cannot be changed")
)

// Worker runs connectors. Its methods are safe for concurrent use while Run
// is running.
type Worker struct {
	config  Config
	log     *slog.Logger
	metrics *metrics
	ready   chan struct{}

	configs *topicLog // nil when Connectors is set
	offsets *offsetStore

	writing sync.Mutex // one change of the configuration at a time; before mu

	mu         sync.Mutex // guards the fields below
	state      *configState
	keepers    map[string]*keeper
	loaded     bool // the configuration was read to its end
	clusterID  string
	generation int64           // of the last start of tasks
	run        context.Context // of Run; keepers start under it
	running    sync.WaitGroup  // the keepers
}

// New makes a worker. It contacts nothing yet.
func New(c Config) (*Worker, error) {
	c = c.withDefaults()
	if err := c.Cluster.Validate(); err != nil {
		return nil, fmt.Errorf("connect worker: %w", err)
	}
	if len(c.Plugins) == 0 {
		return nil, errors.New("connect worker: no plugins")
	}
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("connect worker: %w", err)
	}
	w := &Worker{
		config: c, log: c.Logger, metrics: m, ready: make(chan struct{}),
		state: newConfigState(), keepers: map[string]*keeper{},
	}
	if c.Metrics != nil {
		if err := c.Metrics.Register(states{w}); err != nil {
			return nil, fmt.Errorf("connect worker: %w", err)
		}
	}
	return w, nil
}

// Ready is closed once the worker has read its state and runs what it found.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// Run reads the state topics, runs the connectors and returns when ctx ends,
// after every task has flushed, or when the state topics fail for good.
func (w *Worker) Run(ctx context.Context) error {
	closeSchemas, err := w.openSchemas()
	if err != nil {
		return err
	}
	defer closeSchemas()
	group, ctx := errgroup.WithContext(ctx)
	// Tasks stop first and still write their offsets; the logs close last.
	tasks, stopTasks := context.WithCancel(ctx)
	defer stopTasks()
	logs, closeLogs := context.WithCancel(context.WithoutCancel(ctx))
	defer closeLogs()
	w.mu.Lock()
	w.run = tasks
	w.mu.Unlock()
	if err := w.open(ctx); err != nil {
		w.close()
		return err
	}
	group.Go(func() error { return w.offsets.log.run(logs) })
	if w.configs != nil {
		group.Go(func() error { return w.configs.run(logs) })
	}
	group.Go(func() error {
		defer closeLogs()
		err := w.start(ctx)
		if err == nil {
			<-ctx.Done()
		}
		stopTasks()
		w.running.Wait()
		return err
	})
	err = group.Wait()
	w.mu.Lock()
	w.loaded = false
	w.mu.Unlock()
	w.close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// openSchemas makes a client of the cluster's registry, unless one was given
// or there is none. The result closes what was opened.
func (w *Worker) openSchemas() (closeClient func(), err error) {
	url := w.config.Cluster.SchemaRegistry.URL
	if w.config.Schemas != nil || url == "" {
		return func() {}, nil
	}
	registry := w.config.Cluster.SchemaRegistry
	var opts []schema.ClientOption
	if registry.Username != "" {
		opts = append(opts, schema.BasicAuth(registry.Username, registry.Password))
	}
	client, err := schema.NewClient(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect worker: %w", err)
	}
	w.config.Schemas = client
	return client.Close, nil
}

// open makes the state topics where they are missing.
func (w *Worker) open(ctx context.Context) error {
	spec := topicSpec{name: w.config.OffsetTopic, partitions: w.config.OffsetPartitions, replicas: w.config.ReplicationFactor}
	w.offsets = newOffsetStore(w.log)
	log, err := openTopicLog(ctx, w.config.Cluster, spec, w.offsets.apply, w.log)
	if err != nil {
		return err
	}
	w.offsets.log = log
	if w.config.Connectors != nil {
		return nil
	}
	spec = topicSpec{name: w.config.ConfigTopic, partitions: 1, single: true, replicas: w.config.ReplicationFactor}
	w.configs, err = openTopicLog(ctx, w.config.Cluster, spec, w.applyConfig, w.log)
	return err
}

func (w *Worker) close() {
	if w.configs != nil {
		w.configs.close()
	}
	if w.offsets != nil && w.offsets.log != nil {
		w.offsets.log.close()
	}
}

// start reads the state to its end and lets the connectors run.
func (w *Worker) start(ctx context.Context) error {
	if err := w.offsets.log.readToEnd(ctx); err != nil {
		return fmt.Errorf("read %s: %w", w.config.OffsetTopic, err)
	}
	if w.configs != nil {
		if err := w.configs.readToEnd(ctx); err != nil {
			return fmt.Errorf("read %s: %w", w.config.ConfigTopic, err)
		}
	}
	w.mu.Lock()
	w.clusterID = w.offsets.log.clusterID(ctx)
	for _, c := range w.config.Connectors {
		w.state.add(c.Name, c.Properties, targetOf(c.State))
	}
	w.loaded = true
	for name := range w.state.connectors {
		w.reconcile(name)
	}
	w.mu.Unlock()
	for _, c := range w.config.Seed {
		if _, err := w.seed(ctx, c); err != nil {
			return err
		}
	}
	close(w.ready)
	w.log.Info("connect worker is ready", "connectors", len(w.Names()))
	return nil
}

func targetOf(state string) Target {
	switch state {
	case "paused":
		return TargetPaused
	case "stopped":
		return TargetStopped
	default:
		return TargetStarted
	}
}
