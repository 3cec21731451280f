package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/worker"
	"github.com/millrace-io/millrace/examples/weblog"
	"github.com/millrace-io/millrace/internal/node"
	"github.com/millrace-io/millrace/mirrormaker"
	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/registry"
	"github.com/millrace-io/millrace/streams"
)

// pipeline is everything that runs.
type pipeline struct {
	prefix string // a run id on a cluster that is not ours, else empty
	topics weblog.Topics
	dir    string // data, state and output of this run
	began  time.Time

	reports *broker.Broker // the second cluster
	node    *node.Node
	schemas *schema.Client
	app     *streams.App
	appEnd  chan error
	appStop context.CancelFunc

	local, remote *kgo.Client
	here, there   *kadm.Client
}

const (
	appName   = "weblog"
	sinkName  = "counts"
	countName = "connect-" // a sink's group is this and its name
)

func startPipeline(ctx context.Context, input, bootstrap string) (*pipeline, error) {
	p := &pipeline{began: time.Now(), appEnd: make(chan error, 1)}
	if bootstrap != "" {
		p.prefix = fmt.Sprintf("demo-%d-", time.Now().UnixNano())
	}
	p.topics = weblog.Named(p.prefix)
	if err := p.start(ctx, input, bootstrap); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *pipeline) start(ctx context.Context, input, bootstrap string) (err error) {
	if p.dir, err = os.MkdirTemp("", "millrace-demo-"); err != nil {
		return err
	}
	if p.reports, err = broker.Start(ctx, broker.Config{Properties: broker.Development()}); err != nil {
		return fmt.Errorf("second cluster: %w", err)
	}
	cfg, err := p.config(input, bootstrap)
	if err != nil {
		return err
	}
	if bootstrap == "" {
		cfg.Broker = &broker.Config{DataDir: filepath.Join(p.dir, "data"), Properties: broker.Development(), LowerReplication: true}
	} else {
		cfg.Profiles[mirrormaker.Local] = cluster.Profile{Bootstrap: strings.Split(bootstrap, ",")}
	}
	if err := p.createTopics(ctx, &cfg); err != nil {
		return err
	}
	if err := p.node.Ready(ctx); err != nil {
		return err
	}
	return p.startApp(ctx)
}

// config reads the example's YAML, as millrace would.
func (p *pipeline) config(input, bootstrap string) (node.Config, error) {
	output := filepath.Join(p.dir, "counts")
	absolute, err := filepath.Abs(input)
	if err := errors.Join(err, os.MkdirAll(output, 0o755)); err != nil {
		return node.Config{}, err
	}
	for name, value := range map[string]string{"WEBLOG_PREFIX": p.prefix, "WEBLOG_INPUT": absolute, "WEBLOG_OUTPUT": output} {
		if err := os.Setenv(name, value); err != nil {
			return node.Config{}, err
		}
	}
	secrets := connect.Secrets{Any: true}
	connectors, err := connect.Parse("connectors.yaml", weblog.Connectors, all.List(), secrets)
	if err != nil {
		return node.Config{}, err
	}
	for i := range connectors { // a name has no placeholders: it is part of group and offset keys
		connectors[i].Name = p.prefix + connectors[i].Name
		connectors[i].Properties["name"] = connectors[i].Name
	}
	flows, err := mirrormaker.Load("mirror.yaml", weblog.Mirror)
	if err != nil {
		return node.Config{}, err
	}
	profiles := flows.Profiles
	profiles["reports"] = p.reports.Cluster()
	return node.Config{
		Profiles: profiles,
		Mirrors:  flows.Mirrors,
		Registry: &node.Registry{Listen: "127.0.0.1:0", Config: registry.Config{Topic: p.prefix + "_schemas"}},
		Connect: &node.Connect{Config: worker.Config{
			Plugins: all.List(), Group: p.prefix + "connect", OffsetPartitions: 1, OffsetFlushInterval: 100 * time.Millisecond,
			Seed: connectors, Secrets: secrets,
		}},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}, nil
}

// createTopics starts the node and makes the topics that the application
// writes: records are older than any retention, so none may go by its age.
func (p *pipeline) createTopics(ctx context.Context, cfg *node.Config) (err error) {
	if p.node, err = node.Start(ctx, *cfg); err != nil {
		return err
	}
	profile, err := p.node.Profile(mirrormaker.Local)
	if err != nil {
		return err
	}
	if p.local, err = profile.Client(); err != nil {
		return err
	}
	if p.remote, err = p.reports.Cluster().Client(); err != nil {
		return err
	}
	p.here, p.there = kadm.NewClient(p.local), kadm.NewClient(p.remote)
	keep := map[string]*string{"retention.ms": new("-1")}
	compact := map[string]*string{"cleanup.policy": new("compact")}
	for topic, configs := range map[string]map[string]*string{
		p.topics.Access: keep, p.topics.Requests: keep, p.topics.DeadLetters: keep,
		p.topics.ByStatus: compact, p.topics.ByPath: compact, p.topics.ByHour: compact,
	} {
		if _, err := p.here.CreateTopic(ctx, 4, -1, configs, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}

func (p *pipeline) startApp(ctx context.Context) (err error) {
	if p.schemas, err = schema.NewClient(p.node.Addresses().Registry); err != nil {
		return err
	}
	profile, err := p.node.Profile(mirrormaker.Local)
	if err != nil {
		return err
	}
	b := streams.NewBuilder()
	weblog.Topology(b, p.topics, p.schemas)
	p.app, err = streams.New(b, streams.Config{
		Cluster: profile, AppID: p.prefix + appName, StateDir: filepath.Join(p.dir, "state"), DeadLetters: p.topics.DeadLetters,
		CommitInterval: 200 * time.Millisecond, Replay: true, SessionTimeout: 10 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.appStop = stop
	go func() { p.appEnd <- p.app.Run(running) }()
	return nil
}

func (p *pipeline) since() string { return time.Since(p.began).Round(10 * time.Millisecond).String() }

// close ends everything, and on a cluster that is not ours removes what the
// run has made there.
func (p *pipeline) close() error {
	var errs []error
	if p.appStop != nil {
		p.appStop()
		errs = append(errs, <-p.appEnd)
	}
	if p.schemas != nil {
		p.schemas.Close()
	}
	if p.node != nil {
		if p.prefix == "" {
			p.closeClients()
		}
		errs = append(errs, p.node.Close())
		if p.prefix != "" {
			errs = append(errs, p.remove())
		}
	}
	p.closeClients()
	if p.reports != nil {
		errs = append(errs, p.reports.Close())
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

func (p *pipeline) closeClients() {
	for _, c := range []*kgo.Client{p.local, p.remote} {
		if c != nil {
			c.Close()
		}
	}
}

// remove deletes the topics and groups whose names have the run id.
func (p *pipeline) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	groups, err := p.here.ListGroups(ctx)
	if err != nil {
		return err
	}
	ours := slices.DeleteFunc(groups.Groups(), func(g string) bool { return !strings.Contains(g, p.prefix) })
	deleted, err := p.here.DeleteGroups(ctx, ours...)
	if err := errors.Join(err, deleted.Error()); err != nil {
		return fmt.Errorf("delete groups %v: %w", ours, err)
	}
	topics, err := p.here.ListTopicsWithInternal(ctx)
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(topics.Names(), func(t string) bool { return !strings.HasPrefix(t, p.prefix) })
	gone, err := p.here.DeleteTopics(ctx, names...)
	if err := errors.Join(err, gone.Error()); err != nil {
		return fmt.Errorf("delete topics %v: %w", names, err)
	}
	return nil
}
