package controller

import (
	"maps"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/kafkaconf"
	"github.com/twmb/franz-go/pkg/kerr"
)

// NewTopic asks for one topic.
type NewTopic struct {
	Name string
	// Partitions and Replicas may be -1 for the broker's default (KIP-464).
	// Both must be -1 where Assignment says where the replicas stand.
	Partitions int32
	Replicas   int16
	Assignment []Replicas
	Configs    []Config
}

// Replicas is a wish for the replicas of one partition, the preferred leader
// first.
type Replicas struct {
	Partition int32
	Brokers   []int32
}

// Config is a config as a request gives it; a value may be null.
type Config struct {
	Name  string
	Value *string
}

// TopicResult answers for one topic of a request. The other fields mean
// something only where Err is nil.
type TopicResult struct {
	Name       string
	Err        *Error
	ID         metadata.UUID
	Partitions int32
	Replicas   int16
	// Lowered is the replication factor that was asked for, where the topic
	// got a smaller one (Rules.LowerReplication); else 0.
	Lowered int16
	// Configs are the topic's own configs.
	Configs map[string]string
}

// mostPartitions bounds what one request may create, and so the size of an
// entry.
const mostPartitions = 10_000

// CreateTopics creates topics, or with validateOnly says what would come of
// it: then there are no records.
func (s State) CreateTopics(topics []NewTopic, validateOnly bool) ([]metadata.Record, []TopicResult) {
	p := s.plan()
	results := make([]TopicResult, 0, len(topics))
	created := 0
	for t, again := range once(topics, func(t NewTopic) string { return t.Name }) {
		r := TopicResult{Name: t.Name}
		if again {
			r.Err = refuse(kerr.InvalidRequest, "topic %q occurs twice in the request", t.Name)
		} else {
			r.Err = p.createTopic(t, &r, mostPartitions-created)
		}
		if r.Err == nil {
			created += int(r.Partitions)
		}
		results = append(results, r)
	}
	if validateOnly {
		return nil, results
	}
	return p.records, results
}

func (p *plan) createTopic(t NewTopic, r *TopicResult, room int) *Error {
	if err := p.nameIsFree(t.Name); err != nil {
		return err
	}
	configs, err := checkConfigs(kafkaconf.TopicScope, t.Configs)
	if err != nil {
		return err
	}
	assignment, err := p.place(t, r, room)
	if err != nil {
		return err
	}
	r.ID, r.Configs = p.Rules.NewID(), configs
	r.Partitions, r.Replicas = int32(len(assignment)), int16(len(assignment[0]))
	records := []metadata.Record{&metadata.NewTopic{Name: t.Name, ID: r.ID}}
	records = append(records, p.newPartitions(r.ID, 0, assignment)...)
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		records = append(records, &metadata.ConfigChange{
			Resource: metadata.Resource{Type: metadata.TopicResource, Name: t.Name}, Name: name, Value: new(configs[name]),
		})
	}
	return p.add(records...)
}

func (p *plan) nameIsFree(name string) *Error {
	if err := CheckTopicName(name); err != nil {
		return err
	}
	other, taken := p.Image.Colliding(name)
	switch {
	case !taken:
		return nil
	case other == name:
		return refuse(kerr.TopicAlreadyExists, "topic %q exists already", name)
	}
	return refuse(kerr.InvalidTopicException,
		"topic %q collides with topic %q: names that differ only in '.' and '_' cannot be told apart in metrics; choose another name", name, other)
}

// checkConfigs reads and validates the configs of something new.
func checkConfigs(scope kafkaconf.Scope, configs []Config) (map[string]string, *Error) {
	set := make(map[string]string, len(configs))
	for _, c := range configs {
		if _, again := set[c.Name]; again {
			return nil, refuse(kerr.InvalidConfig, "config %s is given twice", c.Name)
		}
		if c.Value == nil {
			return nil, refuse(kerr.InvalidConfig, "config %s has no value; leave it out to get the default", c.Name)
		}
		set[c.Name] = *c.Value
	}
	if err := kafkaconf.Validate(scope, set); err != nil {
		return nil, refuse(kerr.InvalidConfig, "%v", err)
	}
	return set, nil
}

// place finds the replicas of each partition of a new topic.
func (p *plan) place(t NewTopic, r *TopicResult, room int) ([][]int32, *Error) {
	if len(t.Assignment) > 0 {
		if t.Partitions != -1 || t.Replicas != -1 {
			return nil, refuse(kerr.InvalidRequest, "topic %q: with replicas assigned by hand, the numbers of partitions and replicas must both be -1", t.Name)
		}
		return p.byHand(t, room)
	}
	partitions := int64(t.Partitions)
	if partitions == -1 {
		partitions = p.broker("num.partitions").Int
	}
	if partitions < 1 {
		return nil, refuse(kerr.InvalidPartitions, "topic %q needs at least 1 partition, not %d; -1 asks for the default", t.Name, partitions)
	}
	if partitions > int64(room) {
		return nil, tooMany(t.Name)
	}
	wanted := t.Replicas
	if wanted == -1 {
		wanted = int16(p.broker("default.replication.factor").Int)
	}
	replicas, err := p.replication(t.Name, wanted)
	if err != nil {
		return nil, err
	}
	if replicas < wanted {
		r.Lowered = wanted
	}
	return p.spread(int(partitions), int(replicas)), nil
}

func tooMany(topic string) *Error {
	return refuse(kerr.PolicyViolation, "topic %q: a request may create at most %d partitions; spread them over several", topic, mostPartitions)
}

// replication checks a replication factor against the live brokers, and
// lowers it where the rules say so.
func (p *plan) replication(topic string, wanted int16) (int16, *Error) {
	live := int16(len(p.live()))
	switch {
	case wanted < 1:
		return 0, refuse(kerr.InvalidReplicationFactor, "topic %q needs a replication factor of at least 1, not %d; -1 asks for the default", topic, wanted)
	case wanted <= live:
		return wanted, nil
	case live == 0:
		return 0, refuse(kerr.InvalidReplicationFactor, "topic %q has no place: no broker is live yet; try again", topic)
	case p.Rules.LowerReplication:
		return live, nil
	}
	return 0, refuse(kerr.InvalidReplicationFactor,
		"topic %q needs %d live brokers for its replicas, and there are %d; ask for a replication factor of at most %d, or -1 for the default", topic, wanted, live, live)
}
