package controller

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// arg reads a number from the command's arguments.
func arg(t *testing.T, d *datadriven.TestData, name string, value int) int {
	if d.HasArg(name) {
		d.ScanArgs(t, name, &value)
	}
	return value
}

// register broker=1 life=1 [clean=EPOCH] [cluster=ID] [other-life]
func (s *script) register(t *testing.T, d *datadriven.TestData) string {
	r := Registration{
		Broker:      int32(arg(t, d, "broker", 1)),
		Incarnation: metadata.UUID{byte(arg(t, d, "life", 1))},
		CleanEpoch:  int64(arg(t, d, "clean", 0)),
		OtherLife:   d.HasArg("other-life"),
	}
	if d.HasArg("cluster") {
		d.ScanArgs(t, "cluster", &r.ClusterID)
		s.commit(t, s.state.FormCluster(metadata.UUID{1}))
	}
	records, epoch, err := s.state.RegisterBroker(r)
	return outcome(err, "epoch %d", epoch) + s.commit(t, records)
}

// unfence broker=1 epoch=1, fence broker=1 epoch=1
func (s *script) fencing(t *testing.T, d *datadriven.TestData) string {
	decide := s.state.UnfenceBroker
	if d.Cmd == "fence" {
		decide = s.state.FenceBroker
	}
	records, err := decide(int32(arg(t, d, "broker", 1)), int64(arg(t, d, "epoch", 1)))
	return outcome(err, "ok") + s.commit(t, records)
}

// create [validate-only], a line per topic:
// NAME [partitions=N] [replicas=N] [assign=0:1,2/1:2,1] [CONFIG=VALUE | CONFIG]...
// The name "-" is the empty one, "x*N" N times x.
func (s *script) create(t *testing.T, d *datadriven.TestData) string {
	var topics []NewTopic
	for _, fields := range lines(d) {
		topic := NewTopic{Name: topicName(t, fields[0]), Partitions: -1, Replicas: -1}
		for _, field := range fields[1:] {
			name, value, given := strings.Cut(field, "=")
			switch name {
			case "partitions":
				topic.Partitions = int32(number(t, value))
			case "replicas":
				topic.Replicas = int16(number(t, value))
			case "assign":
				topic.Assignment = assignment(t, value)
			default:
				c := Config{Name: name}
				if given {
					c.Value = &value
				}
				topic.Configs = append(topic.Configs, c)
			}
		}
		topics = append(topics, topic)
	}
	records, results := s.state.CreateTopics(topics, d.HasArg("validate-only"))
	var b strings.Builder
	for _, r := range results {
		text := fmt.Sprintf("%.20s: partitions %d replicas %d configs %v", r.Name, r.Partitions, r.Replicas, r.Configs)
		if r.Lowered > 0 {
			text += fmt.Sprintf(" lowered from %d", r.Lowered)
		}
		b.WriteString(outcome(r.Err, "%s", text))
	}
	return b.String() + s.commit(t, records)
}

func topicName(t *testing.T, word string) string {
	if word == "-" {
		return ""
	}
	if letter, count, ok := strings.Cut(word, "*"); ok {
		return strings.Repeat(letter, number(t, count))
	}
	return word
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func assignment(t *testing.T, s string) []Replicas {
	var all []Replicas
	for part := range strings.SplitSeq(s, "/") {
		index, brokers, _ := strings.Cut(part, ":")
		r := Replicas{Partition: int32(number(t, index))}
		for b := range strings.SplitSeq(brokers, ",") {
			if b != "" {
				r.Brokers = append(r.Brokers, int32(number(t, b)))
			}
		}
		all = append(all, r)
	}
	return all
}

// partitions [validate-only], a line per topic: NAME COUNT [assign=0:1/1:2]
func (s *script) partitions(t *testing.T, d *datadriven.TestData) string {
	var wishes []MorePartitions
	for _, fields := range lines(d) {
		w := MorePartitions{Topic: fields[0], Count: int32(number(t, fields[1]))}
		if len(fields) > 2 {
			for _, r := range assignment(t, strings.TrimPrefix(fields[2], "assign=")) {
				w.Assignment = append(w.Assignment, r.Brokers)
			}
		}
		wishes = append(wishes, w)
	}
	records, results := s.state.CreatePartitions(wishes, d.HasArg("validate-only"))
	var b strings.Builder
	for _, r := range results {
		b.WriteString(outcome(r.Err, "%s: ok", r.Topic))
	}
	return b.String() + s.commit(t, records)
}

// delete, a line per topic: NAME, id:N, NAME id:N or "-"
func (s *script) delete(t *testing.T, d *datadriven.TestData) string {
	var refs []TopicRef
	for _, fields := range lines(d) {
		var ref TopicRef
		for _, f := range fields {
			if id, ok := strings.CutPrefix(f, "id:"); ok {
				ref.ID = metadata.UUID{byte(number(t, id))}
			} else {
				ref.Name = topicName(t, f)
			}
		}
		refs = append(refs, ref)
	}
	records, results := s.state.DeleteTopics(refs)
	var b strings.Builder
	for _, r := range results {
		b.WriteString(outcome(r.Err, "%s (%d): ok", r.Name, r.ID[0]))
	}
	return b.String() + s.commit(t, records)
}

// incremental topic:NAME [validate-only], a line per operation:
// set|delete|append|subtract|op9 NAME [VALUE]. replace: NAME [VALUE].
func (s *script) alter(t *testing.T, d *datadriven.TestData) string {
	w := AlterConfig{Resource: resource(d)}
	decide := s.state.IncrementalAlterConfigs
	ops := map[string]Op{"set": OpSet, "delete": OpDelete, "append": OpAppend, "subtract": OpSubtract, "op9": 9}
	for _, fields := range lines(d) {
		op := OpSet
		if d.Cmd == "incremental" {
			op, fields = ops[fields[0]], fields[1:]
		}
		c := ConfigOp{Name: fields[0], Op: op}
		if len(fields) > 1 {
			c.Value = &fields[1]
		}
		w.Ops = append(w.Ops, c)
	}
	if d.Cmd == "replace" {
		decide = s.state.AlterConfigs
	}
	wishes := []AlterConfig{w}
	if d.HasArg("twice") {
		wishes = append(wishes, w)
	}
	records, results := decide(wishes, d.HasArg("validate-only"))
	var b strings.Builder
	for _, r := range results {
		b.WriteString(outcome(r.Err, "ok"))
	}
	return b.String() + s.commit(t, records)
}

// producer-ids broker=1 epoch=1
func (s *script) producerIDs(t *testing.T, d *datadriven.TestData) string {
	records, block, err := s.state.AllocateProducerIDs(int32(arg(t, d, "broker", 1)), int64(arg(t, d, "epoch", 1)))
	return outcome(err, "%d to %d", block.First, block.First+block.Count-1) + s.commit(t, records)
}
