package controller

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// The scripts in testdata are dialogues with a controller. Each command is a
// request; its answer is one line per item. Records that a request leaves are
// applied at once, and the commands topics, brokers and configs show the
// image. See script for the commands.
func TestDialogues(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{}
		s.state.Rules.NewID = func() metadata.UUID {
			s.ids++
			return metadata.UUID{byte(s.ids)}
		}
		s.state.Image = &metadata.Image{}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	state State
	ids   int
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "rules":
		return s.rules(d)
	case "register":
		return s.register(t, d)
	case "unfence", "fence":
		return s.fencing(t, d)
	case "create":
		return s.create(t, d)
	case "partitions":
		return s.partitions(t, d)
	case "delete":
		return s.delete(t, d)
	case "incremental", "replace":
		return s.alter(t, d)
	case "quotas":
		return s.alterQuotas(t, d)
	case "features":
		return s.updateFeatures(t, d)
	case "producer-ids":
		return s.producerIDs(t, d)
	case "topics":
		return s.topics()
	case "brokers":
		return s.brokers()
	case "configs":
		return s.configs(d)
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

// commit applies records as one entry, as the quorum would.
func (s *script) commit(t *testing.T, records []metadata.Record) string {
	if len(records) == 0 {
		return "(no records)\n"
	}
	d := s.state.Image.Edit(s.state.Image.Index()+1, 1)
	for _, r := range records {
		if err := d.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	s.state.Image = d.Finish()
	return ""
}

func lines(d *datadriven.TestData) [][]string {
	var all [][]string
	for line := range strings.SplitSeq(d.Input, "\n") {
		if fields := strings.Fields(line); len(fields) > 0 {
			all = append(all, fields)
		}
	}
	return all
}

func outcome(err *Error, format string, args ...any) string {
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf(format, args...) + "\n"
}

func (s *script) rules(d *datadriven.TestData) string {
	s.state.Rules.LowerReplication = d.HasArg("lower")
	s.state.Rules.Static = map[string]string{}
	for _, f := range lines(d) {
		name, value, _ := strings.Cut(f[0], "=")
		s.state.Rules.Static[name] = value
	}
	return "ok\n"
}

func (s *script) topics() string {
	var b strings.Builder
	for t := range s.state.Image.Topics() {
		fmt.Fprintf(&b, "%s\n", t.Name)
		for i, p := range t.Partitions {
			fmt.Fprintf(&b, "  %d: leader %d epoch %d.%d replicas %v isr %v", i, p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.Replicas, p.ISR)
			if len(p.ELR) > 0 {
				fmt.Fprintf(&b, " elr %v", p.ELR)
			}
			if p.LastKnownLeader != metadata.NoLeader {
				fmt.Fprintf(&b, " last known %d", p.LastKnownLeader)
			}
			if p.Recovering {
				b.WriteString(" recovering")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func (s *script) brokers() string {
	var b strings.Builder
	for _, r := range s.state.Image.Brokers() {
		fmt.Fprintf(&b, "%d: epoch %d fenced=%v\n", r.ID, r.Epoch, r.Fenced)
	}
	return b.String()
}

func (s *script) configs(d *datadriven.TestData) string {
	return fmt.Sprintln(s.state.Image.Config(resource(d)))
}

func resource(d *datadriven.TestData) metadata.Resource {
	kind, name, _ := strings.Cut(d.CmdArgs[0].String(), ":")
	types := map[string]metadata.ResourceType{
		"topic": metadata.TopicResource, "broker": metadata.BrokerResource, "group": metadata.GroupResource, "logger": 8,
	}
	return metadata.Resource{Type: types[kind], Name: name}
}
