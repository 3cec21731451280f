package ops

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is a topic as lists show it.
type Topic struct {
	Name              string `json:"name"`
	Partitions        int    `json:"partition_count"`
	ReplicationFactor int    `json:"replication_factor"`
	Internal          bool   `json:"internal"`
}

// TopicDetail is a topic with its partitions and the configs it sets.
type TopicDetail struct {
	Topic
	ID      string            `json:"id,omitempty"` // as Kafka's tools show it; older clusters have none
	Configs map[string]string `json:"configs"`
	Parts   []Partition       `json:"partitions"`
}

// Partition is one partition of a topic.
type Partition struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"`
	LeaderEpoch int32   `json:"leader_epoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Start       int64   `json:"start"`
	End         int64   `json:"end"`
}

// TopicSpec is a topic to create; -1 means the broker's default.
type TopicSpec struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string
}

// Result is what became of one of several things.
type Result struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
	Err   error  `json:"-"`
}

// Topics lists topics by name, internal ones only when asked for.
func (c *Cluster) Topics(ctx context.Context, internal bool) ([]Topic, error) {
	details, err := c.admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, c.explain("list topics", err)
	}
	topics := []Topic{}
	for _, d := range details.Sorted() {
		if t := summary(d); internal || !t.Internal {
			topics = append(topics, t)
		}
	}
	return topics, nil
}

func summary(d kadm.TopicDetail) Topic {
	t := Topic{Name: d.Topic, Partitions: len(d.Partitions), Internal: d.IsInternal || (len(d.Topic) > 1 && d.Topic[:2] == "__")}
	for _, p := range d.Partitions {
		t.ReplicationFactor = max(t.ReplicationFactor, len(p.Replicas))
	}
	return t
}

// CreateTopic creates one topic and says what it became.
func (c *Cluster) CreateTopic(ctx context.Context, spec TopicSpec) (Topic, error) {
	configs := map[string]*string{}
	for k, v := range spec.Configs {
		configs[k] = new(v)
	}
	response, err := c.admin.CreateTopic(ctx, spec.Partitions, spec.ReplicationFactor, configs, spec.Name)
	if err != nil {
		err = c.explain("create topic "+spec.Name, err)
		var f *Fault
		if errors.As(err, &f) && response.ErrMessage != "" {
			f.Err = errors.New(response.ErrMessage)
		}
		return Topic{}, err
	}
	return Topic{Name: response.Topic, Partitions: int(response.NumPartitions), ReplicationFactor: int(response.ReplicationFactor)}, nil
}

// DescribeTopic returns everything about one topic.
func (c *Cluster) DescribeTopic(ctx context.Context, name string) (TopicDetail, error) {
	details, err := c.admin.ListTopicsWithInternal(ctx, name)
	if err == nil {
		err = details[name].Err
	}
	if err != nil {
		return TopicDetail{}, c.explain("describe topic "+name, err)
	}
	d := details[name]
	out := TopicDetail{Topic: summary(d), ID: topicID(d.ID), Configs: map[string]string{}}
	starts, err := c.admin.ListStartOffsets(ctx, name)
	if err != nil {
		return out, c.explain("list offsets of topic "+name, err)
	}
	ends, err := c.admin.ListEndOffsets(ctx, name)
	if err != nil {
		return out, c.explain("list offsets of topic "+name, err)
	}
	for _, p := range d.Partitions.Sorted() {
		start, _ := starts.Lookup(name, p.Partition)
		end, _ := ends.Lookup(name, p.Partition)
		out.Parts = append(out.Parts, Partition{
			Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
			Replicas: p.Replicas, ISR: p.ISR, Start: start.Offset, End: end.Offset,
		})
	}
	return out, c.describeConfigs(ctx, &out)
}

func topicID(id kadm.TopicID) string {
	if id == (kadm.TopicID{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}

func (c *Cluster) describeConfigs(ctx context.Context, t *TopicDetail) error {
	configs, err := c.admin.DescribeTopicConfigs(ctx, t.Name)
	if err != nil {
		return c.explain("describe configs of topic "+t.Name, err)
	}
	for _, r := range configs {
		for _, config := range r.Configs {
			if config.Source == kmsg.ConfigSourceDynamicTopicConfig {
				t.Configs[config.Key] = config.MaybeValue()
			}
		}
	}
	return nil
}

// DeleteTopics deletes topics and says of each what became of it. The error
// is of kind Partial where some failed and some did not.
func (c *Cluster) DeleteTopics(ctx context.Context, names ...string) ([]Result, error) {
	responses, err := c.admin.DeleteTopics(ctx, names...)
	if err != nil {
		return nil, c.explain("delete topics", err)
	}
	var results []Result
	for _, r := range responses.Sorted() {
		result := Result{Name: r.Topic}
		if r.Err != nil {
			result.Err = c.explain("delete topic "+r.Topic, r.Err)
			result.Error = reason(r.Err)
		}
		results = append(results, result)
	}
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Name, b.Name) })
	return results, verdict("delete", results)
}

// verdict is nil where all went well, the one error where all failed alike,
// else a Fault of kind Partial.
func verdict(verb string, results []Result) error {
	failed := slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Err == nil })
	switch {
	case len(failed) == 0:
		return nil
	case len(results) == 1:
		return failed[0].Err
	}
	kind := Partial
	if len(failed) == len(results) {
		kind = Failed
	}
	return &Fault{Kind: kind, Code: CodePartial, Message: fmt.Sprintf("could not %s %d of %d", verb, len(failed), len(results))}
}

// HasTopic reports whether a topic exists.
func (c *Cluster) HasTopic(ctx context.Context, name string) (bool, error) {
	details, err := c.admin.ListTopicsWithInternal(ctx, name)
	if err != nil {
		return false, c.explain("look for topic "+name, err)
	}
	err = details[name].Err
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return false, nil
	}
	return err == nil, err
}
