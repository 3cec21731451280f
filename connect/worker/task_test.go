package worker_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/worker"
)

// scripted is a plugin whose tasks the test drives.
type scripted struct {
	read      func(ctx context.Context, b *connect.Batch) error
	committed func(through []connect.Position)
	write     func(rs []connect.Record) error
	revoked   func(lost bool)
	flushed   func() error

	opened atomic.Int32
	mu     sync.Mutex
	next   map[connect.TopicPartition]int64
	begin  []map[string]any // offsets found at Open
}

type settings struct {
	Need string `conf:"need" doc:"Anything."`
}

func (s *scripted) plugins() []connect.Plugin {
	return []connect.Plugin{
		connect.SourcePlugin(connect.Spec{Name: "scripted-source"}, func(*settings) (connect.Source, error) { return source{s}, nil }),
		connect.SinkPlugin(connect.Spec{Name: "scripted-sink"}, func(*settings) (connect.Sink, error) { return sink{s}, nil }),
	}
}

type source struct{ *scripted }

func (source) Start(context.Context, connect.SourceContext) error { return nil }
func (source) Stop(context.Context) error                         { return nil }
func (s source) NewTask() connect.SourceTask                      { return sourceTask(s) }
func (source) Plan(context.Context, int) ([]connect.TaskConfig, error) {
	return []connect.TaskConfig{{"t": "0"}}, nil
}

type sourceTask struct{ *scripted }

func (s sourceTask) Open(_ context.Context, c connect.TaskContext) error {
	s.opened.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin = c.Offsets([]map[string]any{{"s": "1"}})
	return nil
}
func (s sourceTask) Read(ctx context.Context, b *connect.Batch) error { return s.read(ctx, b) }
func (s sourceTask) Committed(_ context.Context, through []connect.Position) error {
	if s.committed != nil {
		s.committed(through)
	}
	return nil
}
func (sourceTask) Close(context.Context) error { return nil }

type sink struct{ *scripted }

func (s sink) NewTask() connect.SinkTask { return sinkTask(s) }

type sinkTask struct{ *scripted }

func (s sinkTask) Open(context.Context, connect.TaskContext) error {
	s.opened.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = map[connect.TopicPartition]int64{}
	return nil
}
func (sinkTask) Assigned(context.Context, []connect.TopicPartition) (map[connect.TopicPartition]int64, error) {
	return nil, nil
}
func (s sinkTask) Write(_ context.Context, rs []connect.Record) error {
	if err := s.write(rs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rs {
		s.next[connect.TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.Offset + 1
	}
	return nil
}
func (s sinkTask) Flush(context.Context) (map[connect.TopicPartition]int64, error) {
	if s.flushed != nil {
		if err := s.flushed(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.next), nil
}
func (s sinkTask) Revoked(_ context.Context, _ []connect.TopicPartition, lost bool) error {
	if s.revoked != nil {
		s.revoked(lost)
	}
	return nil
}
func (sinkTask) Close(context.Context) error { return nil }

func record(topic, value string, n int64) connect.Record {
	return connect.Record{Topic: topic, Partition: -1, Value: connect.Text(value),
		Source: connect.Position{Partition: map[string]any{"s": "1"}, Offset: map[string]any{"n": n}}}
}

func endlessly(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func fastRestart(props map[string]string) map[string]string {
	props["restart.delay.min"], props["restart.delay.max"] = "5ms", "20ms"
	return props
}

// CT3 and CT4: a task hears that a position is committed only after the
// record is in its topic and the position in the offset topic.
func TestCT3CT4CommittedAfterAck(t *testing.T) {
	profile := brokertest.Start(t, brokertest.Topic("out", 1)).Cluster()
	admin := kadm.NewClient(client(t, profile))
	var sent atomic.Bool
	heard := make(chan int64, 10)
	s := &scripted{}
	s.read = func(ctx context.Context, b *connect.Batch) error {
		if sent.Swap(true) {
			return endlessly(ctx)
		}
		b.Add(record("out", "x", 7), 1)
		return nil
	}
	s.committed = func(through []connect.Position) {
		ctx := context.Background()
		ends, err := admin.ListEndOffsets(ctx, "out")
		if end, _ := ends.Lookup("out", 0); err != nil || end.Offset != 1 {
			t.Errorf("committed before the record is there: %v, %v", end, err)
		}
		stored, err := admin.ListEndOffsets(ctx, "connect-offsets")
		total := int64(0)
		stored.Each(func(o kadm.ListedOffset) { total += o.Offset })
		if err != nil || total != 1 {
			t.Errorf("committed before the offset record is there: %d, %v", total, err)
		}
		heard <- through[0].Offset["n"].(int64)
	}
	w, stop := start(t, worker.Config{Cluster: profile, Plugins: s.plugins()})
	put(t, w, map[string]string{"name": "c", "connector.class": "scripted-source"})
	select {
	case n := <-heard:
		if n != 7 {
			t.Errorf("committed through %d", n)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("never committed")
	}
	// CT5: the next start finds the position, since it reads to the end first.
	if err := w.Restart(context.Background(), "c", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "opened again with the position", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.opened.Load() == 2 && len(s.begin) == 1 && s.begin[0]["n"] == int64(7)
	})
	stop()
}

// A task that fails, and one that panics, comes back by itself; a permanent
// error stays FAILED until a restart is asked for.
func TestRestarts(t *testing.T) {
	profile := brokertest.Start(t).Cluster()
	var fault atomic.Value
	fault.Store("error")
	s := &scripted{read: func(ctx context.Context, _ *connect.Batch) error {
		switch fault.Load() {
		case "error":
			return errors.New("the disk is on fire")
		case "panic":
			panic("index out of range")
		case "permanent":
			return connect.Permanent(errors.New("never"))
		}
		return endlessly(ctx)
	}}
	registry := prometheus.NewRegistry()
	w, _ := start(t, worker.Config{Cluster: profile, Plugins: s.plugins(), Metrics: registry})
	put(t, w, fastRestart(map[string]string{"name": "c", "connector.class": "scripted-source"}))
	task := func() worker.TaskStatus {
		status, err := w.Status("c")
		if err != nil || len(status.Tasks) != 1 {
			return worker.TaskStatus{}
		}
		return status.Tasks[0]
	}
	eventually(t, "three restarts", func() bool { return task().Restarts >= 3 })
	fault.Store("panic")
	eventually(t, "the panic as trace", func() bool { return strings.Contains(task().Trace, "index out of range") })
	fault.Store("permanent")
	eventually(t, "FAILED for good", func() bool {
		one := task()
		return one.State == worker.Failed && one.Trace == "never" && one.NextAttempt.IsZero()
	})
	fault.Store("")
	if err := w.RestartTask("c", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "RUNNING", func() bool { return task().State == worker.Running })
	want := `
# HELP millrace_connector_state 1 for the state that a connector is in.
# TYPE millrace_connector_state gauge
millrace_connector_state{connector="c",state="RUNNING"} 1
# HELP millrace_task_state 1 for the state that a task is in.
# TYPE millrace_task_state gauge
millrace_task_state{connector="c",state="RUNNING",task="0"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "millrace_connector_state", "millrace_task_state"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "millrace_task_restarts_total"); err != nil || n != 1 {
		t.Errorf("restarts: %d series, %v", n, err)
	}
}

// CB12: a record that no broker will ever take fails the task for good,
// instead of being tried for ever; what was before it is there.
func TestCB12TooLarge(t *testing.T) {
	profile, in := brokertest.Start(t).Cluster(), filepath.Join(t.TempDir(), "in.log")
	appendFile(t, in, "small\n"+strings.Repeat("x", 3<<20)+"\nafter\n")
	w, _ := start(t, worker.Config{Cluster: profile})
	props := fastRestart(sourceProps(in))
	props["max_line"], props["topic.creation.default.partitions"] = "4MiB", "1"
	put(t, w, props)
	eventually(t, "FAILED", func() bool {
		s, err := w.Status("in")
		return err == nil && len(s.Tasks) == 1 && s.Tasks[0].State == worker.Failed && s.Tasks[0].NextAttempt.IsZero() &&
			strings.Contains(s.Tasks[0].Trace, "a record of 3145728 bytes")
	})
	if got := consume(t, profile, "lines", 1); got[0] != "small" {
		t.Errorf("got %.20q", got)
	}
}

// Connectors of the file of configuration are stored, and changed where the
// file has changed.
func TestSeed(t *testing.T) {
	profile, dir := brokertest.Start(t).Cluster(), t.TempDir()
	seed := func(path string) []connect.Connector {
		return []connect.Connector{{Name: "out", State: "paused", Properties: sinkProps(filepath.Join(dir, path))}}
	}
	_, stop := start(t, worker.Config{Cluster: profile, Seed: seed("a")})
	stop()
	_, stop = start(t, worker.Config{Cluster: profile, Seed: seed("b")})
	stop()
	w, _ := start(t, worker.Config{Cluster: profile})
	info, err := w.Info("out")
	if err != nil || info.Config["path"] != filepath.Join(dir, "b") {
		t.Errorf("stored %v, %v", info, err)
	}
	eventually(t, "PAUSED", func() bool { s, err := w.Status("out"); return err == nil && s.State == worker.Paused })
}

// A position that could not be found again is refused, for good.
func TestEmptyPositionRefused(t *testing.T) {
	s := &scripted{read: func(_ context.Context, b *connect.Batch) error {
		r := record("out", "x", 1)
		r.Source.Offset = nil
		b.Add(r, 1)
		return nil
	}}
	w, _ := start(t, worker.Config{Cluster: brokertest.Start(t).Cluster(), Plugins: s.plugins()})
	put(t, w, map[string]string{"name": "c", "connector.class": "scripted-source"})
	eventually(t, "FAILED", func() bool {
		status, err := w.Status("c")
		return err == nil && len(status.Tasks) == 1 && strings.Contains(status.Tasks[0].Trace, "empty offset") && status.Tasks[0].NextAttempt.IsZero()
	})
}

// A sink commits only what Flush reported, also when Write or Flush fail:
// every record reaches a Write that succeeded.
func TestSinkCommitsOnlyWhatIsFlushed(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("in", 1))
	var writes, flushes atomic.Int32
	var mu sync.Mutex
	var written []string
	s := &scripted{
		write: func(rs []connect.Record) error {
			if writes.Add(1) == 1 {
				return errors.New("target is away")
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range rs {
				written = append(written, r.Value.Any.(string))
			}
			return nil
		},
		flushed: func() error {
			if flushes.Add(1) == 1 {
				return errors.New("flush failed")
			}
			return nil
		},
	}
	b.Produce("in", "", "a", "", "b")
	w, _ := start(t, worker.Config{Cluster: b.Cluster(), Plugins: s.plugins()})
	put(t, w, fastRestart(map[string]string{"name": "c", "connector.class": "scripted-sink", "topics": "in"}))
	admin := kadm.NewClient(client(t, b.Cluster()))
	eventually(t, "the group at the end", func() bool { return lag(t, admin, "connect-c", "in") == 0 })
	mu.Lock()
	defer mu.Unlock()
	// Once for the flush that failed, once for the one that did not.
	if !slices.Equal(written, []string{"a", "b", "a", "b"}) {
		t.Errorf("written %v", written)
	}
}

// CT7: partitions that are taken away are flushed and committed first.
func TestCT7FlushBeforeRevoke(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("in", 1))
	var dialogue []string
	var mu sync.Mutex
	say := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		if len(dialogue) == 0 || dialogue[len(dialogue)-1] != what {
			dialogue = append(dialogue, what)
		}
	}
	wrote := make(chan struct{})
	s := &scripted{
		write:   func([]connect.Record) error { say("write"); close(wrote); return nil },
		flushed: func() error { say("flush"); return nil },
		revoked: func(lost bool) {
			if lost {
				say("lost")
			} else {
				say("revoked")
			}
		},
	}
	b.Produce("in", "", "a")
	w, stop := start(t, worker.Config{Cluster: b.Cluster(), Plugins: s.plugins(), OffsetFlushInterval: time.Hour})
	put(t, w, map[string]string{"name": "c", "connector.class": "scripted-sink", "topics": "in"})
	<-wrote
	stop()
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(dialogue, []string{"write", "flush", "revoked"}) {
		t.Errorf("dialogue %v", dialogue)
	}
	if behind := lag(t, kadm.NewClient(client(t, b.Cluster())), "connect-c", "in"); behind != 0 {
		t.Errorf("%d records were flushed and not committed", behind)
	}
}

// severed is a way to the cluster that can be cut: what a worker wrote until
// then is all that a kill leaves.
type severed struct {
	dial  cluster.Dial
	mu    sync.Mutex
	conns []net.Conn
	cut   bool
}

func (s *severed) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return nil, errors.New("cut")
	}
	c, err := s.dial(ctx, network, address)
	if err == nil {
		s.conns = append(s.conns, c)
	}
	return c, err
}

func (s *severed) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
	for _, c := range s.conns {
		_ = c.Close() // the other end notices
	}
}

// A worker that dies in the middle loses nothing, and repeats at most what
// was not committed.
func TestKilledWorkerLosesNothing(t *testing.T) {
	t.Parallel()
	profile, dir := brokertest.Start(t, brokertest.Property("group.min.session.timeout.ms", "500")).Cluster(), t.TempDir()
	in, out := filepath.Join(dir, "in.log"), filepath.Join(dir, "out.jsonl")
	appendFile(t, in, lines(0, 4000))
	dying := profile
	wire := &severed{dial: profile.Dial}
	if wire.dial == nil {
		wire.dial = (&net.Dialer{}).DialContext
	}
	dying.Dial = wire.Dial
	ctx, cancel := context.WithCancel(context.Background())
	first, err := worker.New(worker.Config{
		Cluster: dying, Plugins: all.List(), OffsetFlushInterval: 20 * time.Millisecond, SessionTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- first.Run(ctx) }()
	<-first.Ready()
	put(t, first, sourceProps(in))
	put(t, first, sinkProps(out))
	eventually(t, "some rows", func() bool { return len(rows(t, out)) >= 500 })
	wire.kill()
	cancel()
	appendFile(t, in, lines(4000, 5000))
	<-done
	w, _ := start(t, worker.Config{Cluster: profile})
	seen := map[string]bool{}
	eventually(t, "every line", func() bool {
		for _, r := range rows(t, out) {
			seen[r.Value.(string)] = true
		}
		return len(seen) == 5000
	})
	for _, name := range w.Names() {
		if s, err := w.Status(name); err != nil || s.State != worker.Running {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// CT15: topics that appear after the sink has started are read, by name and
// by regular expression.
func TestCT15LateTopics(t *testing.T) {
	t.Parallel() // it waits for the metadata to be refreshed
	b := brokertest.Start(t)
	var mu sync.Mutex
	seen := map[string]int{}
	s := &scripted{write: func(rs []connect.Record) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range rs {
			seen[r.Topic+"="+r.Value.Any.(string)]++
		}
		return nil
	}}
	w, _ := start(t, worker.Config{Cluster: b.Cluster(), Plugins: s.plugins()})
	put(t, w, map[string]string{"name": "named", "connector.class": "scripted-sink", "topics": "late-a"})
	put(t, w, map[string]string{"name": "matched", "connector.class": "scripted-sink", "topics.regex": "late-.*"})
	eventually(t, "both running", func() bool { return s.opened.Load() == 2 })
	for _, topic := range []string{"not-late-a", "late-a"} {
		b.CreateTopic(topic, 1, nil)
		b.Produce(topic, "", "x")
	}
	eventually(t, "the late topic, by both", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen["late-a=x"] == 2
	})
	mu.Lock()
	defer mu.Unlock()
	if seen["not-late-a=x"] > 0 {
		t.Error("a topic that does not match was read")
	}
}
