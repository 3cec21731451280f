package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect/rest"
	"github.com/millrace-io/millrace/connect/worker"
	"github.com/millrace-io/millrace/mirrormaker"
	"github.com/millrace-io/millrace/schema/registry"
)

// Config says which parts a process has. A nil part is left out.
type Config struct {
	Broker *broker.Config
	// Profiles are other clusters by name. The broker's own is "local".
	Profiles map[string]cluster.Profile
	Registry *Registry
	Connect  *Connect
	Mirrors  []mirrormaker.Flow
	// Admin is the address of the admin server; empty for none.
	Admin  string
	Logger *slog.Logger
}

// Registry is the schema registry of a process.
type Registry struct {
	Listen string
	// Profile names the cluster that holds the schemas; "local" when empty.
	Profile string
	// Config is the registry's own; its Cluster, Logger and Metrics are set
	// by Start.
	Config registry.Config
}

// Connect is the connect worker of a process.
type Connect struct {
	// Listen is the address of REST; empty for none.
	Listen string
	// Profile names the worker's cluster; "local" when empty.
	Profile string
	// Config is the worker's own; its Cluster, Logger, Metrics and Advertise
	// are set by Start.
	Config worker.Config
}

// Addresses are where the parts of a node can be reached; a part that is
// absent has none.
type Addresses struct {
	Kafka    string `json:"kafka,omitempty"`
	Registry string `json:"registry,omitempty"`
	Connect  string `json:"connect,omitempty"`
	Admin    string `json:"admin,omitempty"`
}

// Node is a running process.
type Node struct {
	cfg     Config
	metrics *prometheus.Registry
	http    []*http.Server
	addr    Addresses
	broker  *broker.Broker
	parts   *parts

	stop   context.CancelFunc
	tasks  sync.WaitGroup
	failed chan error
	once   sync.Once
	closed error
}

// Start starts the parts and returns when the broker, if there is one, can be
// used. The other parts follow: see Ready.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Node{cfg: cfg, metrics: prometheus.NewRegistry(), parts: newParts(), failed: make(chan error, 16)}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	if err := n.start(ctx, running); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) start(ctx, running context.Context) error {
	bound, err := n.bind()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			bound.close()
		}
	}()
	n.expectParts()
	n.serveAdmin(bound.admin)
	if err = n.startBroker(ctx, running, bound.kafka); err != nil {
		return err
	}
	for _, begin := range []func(context.Context, sockets) error{n.startRegistry, n.startConnect, n.startMirrors} {
		if err = begin(running, bound); err != nil {
			return err
		}
	}
	return nil
}

// expectParts makes the node unready from the first moment for what it is to
// have; each part replaces its check when it is started.
func (n *Node) expectParts() {
	for part, wanted := range map[string]bool{
		"broker": n.cfg.Broker != nil, "registry": n.cfg.Registry != nil,
		"connect": n.cfg.Connect != nil, "mirrors": len(n.cfg.Mirrors) > 0,
	} {
		if wanted {
			n.parts.add(part, func() bool { return false })
		}
	}
}

func (n *Node) startBroker(ctx, running context.Context, listeners []broker.Listener) error {
	if n.cfg.Broker == nil {
		return nil
	}
	cfg := *n.cfg.Broker
	cfg.Listeners, cfg.Logger, cfg.Metrics = listeners, n.cfg.Logger.With("part", "broker"), n.metrics
	var err error
	if n.broker, err = broker.Start(ctx, cfg); err != nil {
		return err
	}
	n.parts.add("broker", func() bool { return true })
	n.tasks.Go(func() {
		select {
		case err := <-n.broker.Failed():
			n.fail("broker", err)
		case <-running.Done():
		}
	})
	return nil
}

// Profile returns the profile of that name.
func (n *Node) Profile(name string) (cluster.Profile, error) {
	if name == "" {
		name = mirrormaker.Local
	}
	if name == mirrormaker.Local && n.broker != nil {
		p := n.broker.Cluster()
		p.SchemaRegistry.URL = n.addr.Registry
		return p, nil
	}
	p, ok := n.cfg.Profiles[name]
	if !ok {
		return cluster.Profile{}, fmt.Errorf("no profile %q, and no broker in this process that %q could be", name, mirrormaker.Local)
	}
	p.Name = name
	return p, nil
}

func (n *Node) startRegistry(running context.Context, s sockets) error {
	if n.cfg.Registry == nil {
		return nil
	}
	cfg := n.cfg.Registry.Config
	var err error
	if cfg.Cluster, err = n.Profile(n.cfg.Registry.Profile); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	cfg.Logger, cfg.Metrics = n.cfg.Logger, n.metrics
	r, err := registry.New(cfg)
	if err != nil {
		return err
	}
	n.parts.add("registry", ready(r.Ready()))
	n.run("schema registry", func() error { return r.Run(running) })
	n.serve("schema registry", s.registry, r.Handler())
	return nil
}

func (n *Node) startConnect(running context.Context, s sockets) error {
	if n.cfg.Connect == nil {
		return nil
	}
	cfg := n.cfg.Connect.Config
	var err error
	if cfg.Cluster, err = n.Profile(n.cfg.Connect.Profile); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	cfg.Logger, cfg.Metrics = n.cfg.Logger.With("part", "connect"), n.metrics
	if s.connect != nil {
		cfg.Advertise = s.connect.Addr().String()
	}
	w, err := worker.New(cfg)
	if err != nil {
		return err
	}
	n.parts.add("connect", ready(w.Ready()))
	n.run("connect", func() error { return w.Run(running) })
	n.serve("connect", s.connect, rest.Handler(w))
	return nil
}

// The wait between two attempts to run the mirrors.
const firstRetry, lastRetry = time.Second, time.Minute

func (n *Node) startMirrors(running context.Context, _ sockets) error {
	if len(n.cfg.Mirrors) == 0 {
		return nil
	}
	profiles := maps.Clone(n.cfg.Profiles)
	if n.broker != nil {
		if profiles == nil {
			profiles = map[string]cluster.Profile{}
		}
		profiles[mirrormaker.Local] = n.broker.Cluster()
	}
	cfg := mirrormaker.Config{Flows: n.cfg.Mirrors, Profiles: profiles, Logger: n.cfg.Logger}
	if _, err := mirrormaker.New(cfg); err != nil {
		return fmt.Errorf("mirrors: %w", err)
	}
	n.parts.add("mirrors", func() bool { return true })
	n.run("mirrors", func() error {
		n.keepMirroring(running, cfg)
		return nil
	})
	return nil
}

// keepMirroring runs the flows again when they end: a cluster that is away
// comes back. Flows that must not run are said so each time.
func (n *Node) keepMirroring(running context.Context, cfg mirrormaker.Config) {
	for wait := firstRetry; running.Err() == nil; wait = min(2*wait, lastRetry) {
		m, err := mirrormaker.New(cfg)
		if err == nil {
			if regErr := n.metrics.Register(m); regErr != nil {
				n.cfg.Logger.Warn("metrics are incomplete", "part", "mirror", "err", regErr)
			}
			began := time.Now()
			err = m.Run(running)
			n.metrics.Unregister(m)
			if time.Since(began) > lastRetry {
				wait = firstRetry
			}
		}
		if running.Err() != nil {
			return
		}
		n.cfg.Logger.Error("mirrors stopped, trying again", "part", "mirror", "err", err, "wait", wait)
		select {
		case <-running.Done():
		case <-time.After(wait):
		}
	}
}

func (n *Node) run(part string, f func() error) {
	n.tasks.Go(func() {
		if err := f(); err != nil {
			n.fail(part, err)
		}
	})
}

func (n *Node) fail(part string, err error) {
	select {
	case n.failed <- fmt.Errorf("%s: %w", part, err):
	default: // enough is known
	}
}

// Addresses are where the parts can be reached.
func (n *Node) Addresses() Addresses { return n.addr }

// Ready waits until every part is ready.
func (n *Node) Ready(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !n.parts.ready() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: not ready: %v", ctx.Err(), n.parts.waiting())
		case err := <-n.failed:
			return err
		case <-tick.C:
		}
	}
	return nil
}

// Failed delivers the error of a part that ended by itself.
func (n *Node) Failed() <-chan error { return n.failed }

// Close ends all parts, those that use the broker before it.
func (n *Node) Close() error {
	n.once.Do(func() { n.closed = n.close() })
	return n.closed
}

func (n *Node) close() error {
	n.parts.drain()
	n.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, s := range n.http {
		if err := s.Shutdown(ctx); err != nil {
			_ = s.Close()
		}
	}
	n.tasks.Wait()
	if n.broker == nil {
		return nil
	}
	return n.broker.Close()
}
