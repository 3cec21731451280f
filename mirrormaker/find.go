package mirrormaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/mirrormaker/internal/topics"
)

// finder looks for topics and partitions to copy and sets each going.
type finder struct {
	*runner
	routes                   []topics.Route
	self                     int
	sourceAdmin, targetAdmin *kadm.Client
	found                    bool // the first look is over: later topics begin at the earliest offset
}

func (f *finder) loop(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := f.find(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("looking for topics failed, trying again", "err", err)
		}
	}
}

// find makes one look at both clusters.
func (f *finder) find(ctx context.Context) error {
	all, err := f.sourceAdmin.ListTopicsWithInternal(ctx)
	if err != nil {
		return fmt.Errorf("list topics of %s: %w", f.flow.From, err)
	}
	selected := f.selectTopics(all)
	if len(selected) == 0 {
		f.found = true
		return nil
	}
	if err := f.refuse(selected); err != nil {
		return err
	}
	if err := f.ensureTargets(ctx, all, selected); err != nil {
		return err
	}
	if err := f.begin(ctx, all, selected); err != nil {
		return err
	}
	f.found = true
	return nil
}

func (f *finder) selectTopics(all kadm.TopicDetails) []string {
	var selected []string
	for _, t := range all.Sorted() {
		if t.Err == nil && f.selector.Selects(t.Topic) && !f.namer.CameFromTarget(t.Topic) {
			selected = append(selected, t.Topic)
		}
	}
	faults := topics.CheckNames(selected, f.namer)
	return slices.DeleteFunc(selected, func(topic string) bool {
		err := faults[topic]
		if err != nil && !f.found {
			f.log.Error("topic is not copied", "topic", topic, "err", err)
		}
		return err != nil
	})
}

// refuse finds flows that must not run together.
func (f *finder) refuse(selected []string) error {
	self := f.routes[f.self]
	for _, topic := range selected {
		if path := topics.Cycle(f.routes, self.From, topic); path != nil {
			return fmt.Errorf("%w: topic %s would come back to its cluster by %s: give one of them naming: prefix or exclude the topic",
				ErrCycle, topic, strings.Join(path, ", "))
		}
		if other := topics.Taken(f.routes, f.self, topic); other != "" {
			return fmt.Errorf("%w: flow %s writes %s too: use naming: prefix or a template with {source}",
				ErrTargetTaken, other, f.namer.Name(topic))
		}
	}
	return nil
}

// ensureTargets creates what is missing at the target and adds partitions.
func (f *finder) ensureTargets(ctx context.Context, all kadm.TopicDetails, selected []string) error {
	targets, err := f.targetAdmin.ListTopicsWithInternal(ctx)
	if err != nil {
		return fmt.Errorf("list topics of %s: %w", f.flow.To, err)
	}
	for _, topic := range selected {
		name, want := f.namer.Name(topic), len(all[topic].Partitions)
		have, exists := targets[name]
		switch {
		case !exists:
			if err := f.create(ctx, topic, name, want); err != nil {
				return fmt.Errorf("create topic %s at %s: %w", name, f.flow.To, err)
			}
		case len(have.Partitions) < want && f.flow.Sync.Partitions == "grow":
			grown, err := f.targetAdmin.UpdatePartitions(ctx, want, name)
			if err := errors.Join(err, grown.Error()); err != nil {
				return fmt.Errorf("add partitions to topic %s at %s: %w", name, f.flow.To, err)
			}
		case len(have.Partitions) < want && f.flow.Sync.Partitions == "check":
			return fmt.Errorf("topic %s at %s has %d partitions, its source %d: set sync.partitions: grow or add them", name, f.flow.To, len(have.Partitions), want)
		}
	}
	return nil
}

func (f *finder) create(ctx context.Context, topic, name string, partitions int) error {
	configs := map[string]*string{}
	if f.flow.Sync.Configs {
		described, err := f.sourceAdmin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return err
		}
		for _, c := range described[0].Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig && topics.Synced(c.Key, f.flow.Sync.ConfigExclude) {
				configs[c.Key] = c.Value
			}
		}
	}
	for k, v := range f.flow.Create.Config {
		configs[k] = new(v)
	}
	_, err := f.targetAdmin.CreateTopic(ctx, int32(partitions), int16(f.flow.Create.ReplicationFactor), configs, name)
	if err == nil {
		f.log.Info("created topic", "topic", name, "partitions", partitions)
	}
	return err
}
