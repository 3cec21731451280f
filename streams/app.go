package streams

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/streams/internal/assign"
	"github.com/millrace-io/millrace/streams/internal/query"
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/internal/worker"
	"github.com/millrace-io/millrace/streams/state"
)

// ErrNotRunning is returned by what needs a running application.
var ErrNotRunning = errors.New("the application is not running")

// App is an application: a topology with what it takes to run it.
type App struct {
	cfg      Config
	topology *topology.Topology
	counters task.Counters
	metrics  *worker.Metrics
	stores   query.Stores
	ready    chan struct{}

	mu    sync.Mutex
	admin *kgo.Client // while it runs
}

// New checks the topology and the configuration and reports all faults of
// both. Nothing is contacted and nothing started.
func New(b *Builder, cfg Config) (*App, error) {
	topo, err := b.Topology()
	if err := errors.Join(err, cfg.validate(topo != nil && topo.Stateful())); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg.withDefaults(), topology: topo, ready: make(chan struct{})}
	a.cfg.Logger = a.cfg.Logger.With(slog.String("app", cfg.AppID))
	if a.metrics, err = worker.NewMetrics(cfg.Metrics, cfg.AppID, &a.counters); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return a, nil
}

// Topology is what the application runs.
func (a *App) Topology() *Topology { return a.topology }

// Ready is closed when the application has joined its group and every task it
// was assigned is restored and runs.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Counters count what did not become a result, by node.
func (a *App) Counters() map[string]NodeCounters { return a.counters.Snapshot() }

// Run creates the internal topics that are missing, joins the group, restores,
// processes, commits, and leaves when ctx ends. It returns nil then, or the
// error for which the application had to stop. An App runs once.
func (a *App) Run(ctx context.Context) error {
	admin, err := a.cfg.Cluster.Client()
	if err != nil {
		return err
	}
	defer admin.Close()
	a.setAdmin(admin)
	defer a.setAdmin(nil)

	plan, err := a.prepare(ctx, admin)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("application %s: %w", a.cfg.AppID, err)
	}
	dir := filepath.Join(a.cfg.StateDir, a.cfg.AppID)
	if a.topology.Stateful() {
		unlock, err := lockDir(dir)
		if err != nil {
			return fmt.Errorf("application %s: state directory %s: %w", a.cfg.AppID, dir, err)
		}
		defer unlock()
	}
	if err := a.work(ctx, admin, plan, dir); err != nil {
		return fmt.Errorf("application %s: %w", a.cfg.AppID, err)
	}
	return nil
}

// work runs the workers until ctx ends or one fails.
func (a *App) work(ctx context.Context, admin *kgo.Client, plan plan, dir string) error {
	workers := min(a.cfg.Workers, plan.tasks)
	var starting sync.WaitGroup
	starting.Add(workers)
	cfg := worker.Config{
		Cluster:        a.cfg.Cluster,
		Admin:          admin,
		AppID:          a.cfg.AppID,
		Topology:       a.topology,
		Partitions:     plan.partitions,
		Balancer:       a.balancer(),
		Dir:            dir,
		BootID:         state.BootID(),
		Cache:          state.NewCache(),
		CommitInterval: a.cfg.CommitInterval,
		StateBytes:     a.cfg.StateBytes,
		MaxIdle:        a.cfg.MaxIdle,
		SessionTimeout: a.cfg.SessionTimeout,
		Handle:         a.cfg.handle,
		DeadLetters:    a.cfg.DeadLetters,
		Counters:       &a.counters,
		Stores:         &a.stores,
		Metrics:        a.metrics,
		Logger:         a.cfg.Logger,
	}
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			cfg := cfg
			var once sync.Once
			cfg.Ready = func() { once.Do(starting.Done) }
			defer cfg.Ready()
			return worker.New(cfg).Run(ctx)
		})
	}
	group.Go(func() error {
		starting.Wait()
		if ctx.Err() == nil {
			close(a.ready)
		}
		return nil
	})
	return group.Wait()
}

// balancer assigns by subtopologies.
func (a *App) balancer() *assign.Balancer {
	b := new(assign.Balancer)
	for _, sub := range a.topology.Subtopologies {
		var topics []string
		for _, n := range sub.Sources() {
			topics = append(topics, n.Topic.Full(a.cfg.AppID))
		}
		b.Inputs = append(b.Inputs, topics)
	}
	hash := fnv.New64a()
	hash.Write([]byte(a.topology.String()))
	b.Hash = hash.Sum64()
	return b
}

// Lag is how many offsets of its inputs, repartition topics included, the
// application has not committed yet. At zero everything that was in the inputs
// when Lag was called is processed, written and stored, though records on their
// way into a repartition topic may still make it rise: ask again until it is
// zero and the inputs have not grown.
func (a *App) Lag(ctx context.Context) (int64, error) {
	a.mu.Lock()
	admin := a.admin
	a.mu.Unlock()
	if admin == nil {
		return 0, ErrNotRunning
	}
	var topics []string
	for _, in := range a.balancer().Inputs {
		topics = append(topics, in...)
	}
	client := kadm.NewClient(admin)
	// Committed first: what is committed in between only makes the lag smaller
	// than the truth if the ends are older.
	committed, err := client.FetchOffsets(ctx, a.cfg.AppID)
	if err != nil {
		return 0, fmt.Errorf("committed offsets of group %s: %w", a.cfg.AppID, err)
	}
	ends, err := client.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("end of the inputs: %w", err)
	}
	lag := int64(0)
	for _, end := range ends.Offsets().Sorted() {
		at := int64(0)
		if c, ok := committed.Lookup(end.Topic, end.Partition); ok {
			at = max(c.At, 0)
		}
		lag += max(end.At-at, 0)
	}
	return lag, ends.Error()
}

func (a *App) setAdmin(admin *kgo.Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.admin = admin
}
