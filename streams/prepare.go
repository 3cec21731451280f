package streams

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/streams/internal/topology"
)

// windowedSlack is how much longer than its windows a windowed changelog is
// kept, since brokers delete by their own clock.
const windowedSlack = 24 * time.Hour

// plan is what was found and made in the cluster.
type plan struct {
	partitions map[string]int32 // of every input, by full name
	tasks      int
}

// internalTopic is a topic that belongs to the application.
type internalTopic struct {
	name       string
	partitions int32
	policy     string
	retention  time.Duration // negative: for ever; zero: the cluster's default
}

// prepare checks the inputs and makes sure of the internal topics.
func (a *App) prepare(ctx context.Context, client *kgo.Client) (plan, error) {
	admin := kadm.NewClient(client)
	inputs, err := a.inputs(ctx, admin)
	if err != nil {
		return plan{}, err
	}
	tasks, internal, err := a.topology.Partitions(inputs)
	if err != nil {
		return plan{}, err
	}
	if err := a.ensure(ctx, admin, a.internalTopics(internal)); err != nil {
		return plan{}, err
	}
	if a.cfg.DeadLetters != "" {
		if err := a.create(ctx, admin, internalTopic{name: a.cfg.DeadLetters, partitions: -1}); err != nil {
			return plan{}, fmt.Errorf("dead letters: %w", err)
		}
	}
	p := plan{partitions: inputs}
	for suffix, n := range internal {
		p.partitions[topology.Topic{Name: suffix, Internal: true}.Full(a.cfg.AppID)] = n
	}
	for _, n := range tasks {
		p.tasks += int(n)
	}
	return p, nil
}

// inputs gives the partition counts of the topics that must exist already.
func (a *App) inputs(ctx context.Context, admin *kadm.Client) (map[string]int32, error) {
	names := a.topology.Inputs()
	details, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("input topics %v: %w", names, err)
	}
	counts := map[string]int32{}
	var errs []error
	for _, name := range names {
		d := details[name]
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition) || (d.Err == nil && len(d.Partitions) == 0):
			errs = append(errs, fmt.Errorf("input topic %s does not exist; create it before the application starts", name))
		case d.Err != nil:
			errs = append(errs, fmt.Errorf("input topic %s: %w", name, d.Err))
		}
		counts[name] = int32(len(d.Partitions))
	}
	return counts, errors.Join(errs...)
}

// internalTopics says which there must be, and how.
func (a *App) internalTopics(partitions map[string]int32) []internalTopic {
	var out []internalTopic
	for _, sub := range a.topology.Subtopologies {
		for _, store := range sub.Stores() {
			topic := store.Changelog()
			t := internalTopic{name: topic.Full(a.cfg.AppID), partitions: partitions[topic.Name], policy: "compact"}
			if store.Retention > 0 {
				t.policy, t.retention = "compact,delete", store.Retention+windowedSlack
				if a.cfg.Replay {
					t.retention = -1
				}
			}
			out = append(out, t)
		}
		for _, n := range sub.Sources() {
			if n.Topic.Internal {
				// Records in it are as old as their event time; only their
				// being processed makes them superfluous.
				out = append(out, internalTopic{name: n.Topic.Full(a.cfg.AppID), partitions: partitions[n.Topic.Name], policy: "delete", retention: -1})
			}
		}
	}
	return out
}

// ensure creates the topics that are missing and checks those that are there.
func (a *App) ensure(ctx context.Context, admin *kadm.Client, topics []internalTopic) error {
	if len(topics) == 0 {
		return nil
	}
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.name
	}
	details, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("internal topics: %w", err)
	}
	var errs []error
	var existing []internalTopic
	for _, t := range topics {
		d := details[t.name]
		if d.Err != nil || len(d.Partitions) == 0 {
			errs = append(errs, a.create(ctx, admin, t))
			continue
		}
		if int32(len(d.Partitions)) != t.partitions {
			errs = append(errs, fmt.Errorf("internal topic %s has %d partitions, the topology needs %d: an input was grown or the AppID belongs to another application; use a new AppID", t.name, len(d.Partitions), t.partitions))
			continue
		}
		existing = append(existing, t)
	}
	errs = append(errs, a.checkPolicies(ctx, admin, existing))
	return errors.Join(errs...)
}

func (a *App) create(ctx context.Context, admin *kadm.Client, t internalTopic) error {
	configs := map[string]*string{}
	if t.policy != "" {
		configs["cleanup.policy"] = &t.policy
	}
	if t.retention != 0 {
		ms := "-1"
		if t.retention > 0 {
			ms = strconv.FormatInt(t.retention.Milliseconds(), 10)
		}
		configs["retention.ms"] = &ms
	}
	_, err := admin.CreateTopic(ctx, t.partitions, int16(a.cfg.ReplicationFactor), configs, t.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.name, err)
	}
	if err == nil {
		a.cfg.Logger.Info("topic created", slog.String("topic", t.name), slog.Int64("partitions", int64(t.partitions)))
	}
	return nil
}

// checkPolicies refuses a changelog that a broker would delete from, and a
// repartition topic that it would compact.
func (a *App) checkPolicies(ctx context.Context, admin *kadm.Client, topics []internalTopic) error {
	if len(topics) == 0 {
		return nil
	}
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.name
	}
	configs, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("configs of internal topics: %w", err)
	}
	var errs []error
	for _, t := range topics {
		got, err := configs.On(t.name, nil)
		if err == nil {
			err = got.Err
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("configs of topic %s: %w", t.name, err))
			continue
		}
		i := slices.IndexFunc(got.Configs, func(c kadm.Config) bool { return c.Key == "cleanup.policy" })
		if i < 0 || samePolicy(got.Configs[i].MaybeValue(), t.policy) {
			continue
		}
		errs = append(errs, fmt.Errorf("internal topic %s has cleanup.policy=%s; set cleanup.policy=%s", t.name, got.Configs[i].MaybeValue(), t.policy))
	}
	return errors.Join(errs...)
}

// samePolicy compares cleanup policies, which are sets.
func samePolicy(a, b string) bool {
	return a == b || (a == "delete,compact" && b == "compact,delete")
}
