package task_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/state"
)

// script is a task with the inputs a and b, whose records it writes to out and
// whose values it keeps in a store.
type script struct {
	task *task.Task
	log  strings.Builder
	now  time.Time
	sent int64
	acks []func()
}

// source takes the record's value as its event time; "bad" has none.
type source struct {
	s     *script
	rt    topology.Runtime
	store *topology.Node
	raw   *topology.Raw
}

func (s *source) Load(raw *topology.Raw) (int64, error) {
	s.raw = raw
	if string(raw.Value) == "bad" {
		return 0, errors.New("cannot be read")
	}
	return strconv.ParseInt(string(raw.Value), 10, 64)
}

func (s *source) Process() error {
	at, _ := strconv.ParseInt(string(s.raw.Value), 10, 64)
	fmt.Fprintf(&s.s.log, "%s/%d at %s, stream time %d\n", s.raw.Topic, s.raw.Offset, s.raw.Value, s.rt.StreamTime())
	s.rt.Store(s.store).Put([]byte(s.raw.Topic), s.raw.Value, at)
	return s.rt.Emit(topology.Outgoing{Topic: "out", Partition: topology.AnyPartition, Value: s.raw.Value, Timestamp: at})
}

func (s *script) Emit(o topology.Outgoing, acked *atomic.Int64) error {
	if acked == nil {
		return nil
	}
	s.sent++
	offset := s.sent
	fmt.Fprintf(&s.log, "%s partition %d: %s=%s at %d\n", o.Topic, o.Partition, o.Key, o.Value, o.Timestamp)
	s.acks = append(s.acks, func() { acked.Store(offset) })
	return nil
}

func newScript(t *testing.T, maxIdle time.Duration, handle func(*topology.Fault) topology.Action) *script {
	s := &script{now: time.Unix(0, 0)}
	var nodes []*topology.Node
	keeper := &topology.Node{Name: "keeper", Kind: topology.Processor, Store: &topology.Store{Name: "store"}}
	keeper.Build = func(topology.Runtime, []any) any { return nil }
	for _, topic := range []string{"a", "b"} {
		n := &topology.Node{Name: "source-" + topic, Kind: topology.Source, Topic: topology.Topic{Name: topic}, Children: []*topology.Node{keeper}}
		n.Build = func(rt topology.Runtime, _ []any) any { return &source{s: s, rt: rt, store: keeper} }
		nodes = append(nodes, n)
	}
	topo, err := topology.New(append(nodes, keeper))
	if err != nil {
		t.Fatal(err)
	}
	s.task, err = task.New(task.Config{
		ID: task.ID{Partition: 3}, AppID: "app", Sub: topo.Subtopologies[0], Overlay: state.NewOverlay(nil, 0), Output: s,
		Handle: handle, DeadLetters: "dead", MaxIdle: maxIdle, Counters: new(task.Counters),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScripts runs dialogues with a task. Commands:
//
//	new [max-idle=D] [on-fault=fail|continue]
//	start topic=T next=N end=N       where an input begins, and what the broker has
//	add topic=T offset=N time=MS     a record; time=bad does not decode
//	skip topic=T offset=N            a transaction's marker
//	known topic=T end=N
//	run                              steps until nothing can be chosen
//	tick D
//	offsets                          what may be committed
//	commit                           changelog, acks, committed
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *script
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				idle, action := "0s", "continue"
				maybe(t, d, "max-idle", &idle)
				maybe(t, d, "on-fault", &action)
				wait, err := time.ParseDuration(idle)
				if err != nil {
					return err.Error()
				}
				s = newScript(t, wait, func(*topology.Fault) topology.Action {
					if action == "fail" {
						return topology.Fail
					}
					return topology.Continue
				})
				return ""
			}
			s.log.Reset()
			s.do(t, d)
			return s.log.String()
		})
	})
}

func (s *script) do(t *testing.T, d *datadriven.TestData) {
	var topic, at string
	var offset, end, next int64
	maybe(t, d, "topic", &topic)
	maybe(t, d, "time", &at)
	maybe(t, d, "offset", &offset)
	maybe(t, d, "end", &end)
	maybe(t, d, "next", &next)
	switch d.Cmd {
	case "start":
		s.task.Start(topic, next, end)
	case "add":
		s.task.Add(topology.Raw{Topic: topic, Partition: 3, Offset: offset, Value: []byte(at)})
	case "skip":
		s.task.Skip(topic, offset)
	case "known":
		s.task.Known(topic, end)
	case "run":
		s.run()
	case "tick":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(by)
	case "offsets":
		fmt.Fprintf(&s.log, "dirty: %t\n", s.task.Dirty())
		for _, o := range s.task.Offsets() {
			fmt.Fprintf(&s.log, "%s partition %d: %d, stream time %d\n", o.Topic, o.Partition, o.Next, o.StreamTime)
		}
	case "commit":
		s.commit(t)
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
}

// maybe reads an argument if it is there.
func maybe(t *testing.T, d *datadriven.TestData, name string, into any) {
	if d.HasArg(name) {
		d.ScanArgs(t, name, into)
	}
}

func (s *script) run() {
	for {
		ok, err := s.task.Step(s.now)
		if err != nil {
			fmt.Fprintf(&s.log, "error: %v\n", err)
			return
		}
		if !ok {
			return
		}
	}
}

func (s *script) commit(t *testing.T) {
	if err := s.task.Changelog(); err != nil {
		t.Fatal(err)
	}
	for _, ack := range s.acks {
		ack()
	}
	s.acks = nil
	if err := s.task.Committed(); err != nil {
		t.Fatal(err)
	}
}
