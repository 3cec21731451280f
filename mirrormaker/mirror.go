package mirrormaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/mirrormaker/internal/topics"
)

// Config is what a Mirror needs.
type Config struct {
	// Flows are run side by side.
	Flows []Flow
	// Profiles are the clusters that the flows name.
	Profiles map[string]cluster.Profile
	// Logger gets a line for what an operator should know; nil discards.
	Logger *slog.Logger
}

// Mirror runs flows.
type Mirror struct {
	cfg     Config
	runners []*runner
}

// Errors that Run returns for flows that must not run.
var (
	// ErrCycle is returned for flows that would bring a topic back to the
	// cluster it came from.
	ErrCycle = errors.New("the flows form a cycle")
	// ErrOneCluster is returned for a flow whose two profiles reach one
	// cluster.
	ErrOneCluster = errors.New("from and to are one cluster")
	// ErrTargetTaken is returned for two flows that write one target topic.
	ErrTargetTaken = errors.New("two flows write one target topic")
)

// New checks the flows and contacts nothing yet.
func New(cfg Config) (*Mirror, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Mirror{cfg: cfg}
	var errs []error
	known := make([]string, 0, len(cfg.Profiles))
	for name := range cfg.Profiles {
		known = append(known, name)
	}
	errs = append(errs, CheckFlows(cfg.Flows, known))
	for _, f := range cfg.Flows {
		if err := f.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("flow %s: %w", f.Name, err))
			continue
		}
		r, err := newRunner(f, cfg.Profiles[f.From], cfg.Profiles[f.To], cfg.Logger)
		if err != nil {
			errs = append(errs, fmt.Errorf("flow %s: %w", f.Name, err))
			continue
		}
		m.runners = append(m.runners, r)
	}
	return m, errors.Join(errs...)
}

// Run copies until ctx ends, and then returns nil once what was copied is
// acked and its positions are written. It returns an error when a flow cannot
// run at all; a partition that cannot go on is shown in Status instead.
func (m *Mirror) Run(outer context.Context) error {
	routes, err := m.routes(outer)
	if outer.Err() != nil {
		return nil // whatever was cut short was cut short by the end
	}
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(outer)
	for i, r := range m.runners {
		group.Go(func() error {
			if err := r.run(ctx, routes, i); err != nil {
				return fmt.Errorf("flow %s: %w", r.flow.Name, err)
			}
			return nil
		})
	}
	err = group.Wait()
	if outer.Err() != nil {
		return nil
	}
	return err
}

// routes asks every cluster for its id, since two names may be one cluster.
func (m *Mirror) routes(ctx context.Context) ([]topics.Route, error) {
	ids := map[string]string{}
	var routes []topics.Route
	for _, r := range m.runners {
		for _, name := range []string{r.flow.From, r.flow.To} {
			if _, asked := ids[name]; asked {
				continue
			}
			id, err := clusterID(ctx, m.cfg.Profiles[name])
			if err != nil {
				return nil, fmt.Errorf("flow %s: profile %s: %w", r.flow.Name, name, err)
			}
			ids[name] = id
		}
		from, to := ids[r.flow.From], ids[r.flow.To]
		if from != "" && from == to {
			return nil, fmt.Errorf("flow %s: %w: profiles %s and %s both reach cluster %s", r.flow.Name, ErrOneCluster, r.flow.From, r.flow.To, from)
		}
		routes = append(routes, topics.Route{Flow: r.flow.Name, From: from, To: to, Selector: r.selector, Namer: r.namer})
	}
	return routes, nil
}

func clusterID(ctx context.Context, profile cluster.Profile) (string, error) {
	client, err := profile.Client()
	if err != nil {
		return "", err
	}
	defer client.Close()
	meta, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return "", fmt.Errorf("ask %v for its cluster id: %w", profile.Bootstrap, err)
	}
	return meta.Cluster, nil
}
