package worker_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake starts the bundled broker in memory.
func fake(t *testing.T) cluster.Profile {
	t.Helper()
	return brokertest.Start(t).Cluster()
}

// start runs a worker until the test ends or stop is called.
func start(t *testing.T, c worker.Config) (w *worker.Worker, stop func()) {
	t.Helper()
	if c.Plugins == nil {
		c.Plugins = all.List()
	}
	if c.OffsetFlushInterval == 0 {
		c.OffsetFlushInterval = 50 * time.Millisecond
	}
	c.Logger = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	w, err := worker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case <-w.Ready():
	case err := <-done:
		stopped = true
		t.Fatalf("worker ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the worker does not become ready")
	}
	return w, stop
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func client(t *testing.T, p cluster.Profile, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := p.Client(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// consume returns the values of a topic once there are n.
func consume(t *testing.T, p cluster.Profile, topic string, n int) []string {
	t.Helper()
	c := client(t, p, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s: %d of %d records", topic, len(values), n)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func put(t *testing.T, w *worker.Worker, props map[string]string) {
	t.Helper()
	if _, _, err := w.Put(context.Background(), props["name"], props); err != nil {
		t.Fatal(err)
	}
}

func sourceProps(path string) map[string]string {
	return map[string]string{"name": "in", "connector.class": "file-source", "path": path, "topic": "lines", "poll_interval": "20ms"}
}

func sinkProps(path string) map[string]string {
	return map[string]string{"name": "out", "connector.class": "file-sink", "path": path, "topics": "lines", "tasks.max": "2"}
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %05d\n", i)
	}
	return b.String()
}

func appendFile(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

type row struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp int64
	Key       any
	Value     any
}

func rows(t *testing.T, path string) []row {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1] // a line may be on its way
	var out []row
	scanner := bufio.NewScanner(bytes.NewReader(data))
	for scanner.Scan() {
		var r row
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			t.Fatalf("line %q: %v", scanner.Text(), err)
		}
		out = append(out, r)
	}
	return out
}

// A file goes through a topic into a file; both connectors survive a restart
// of the worker, nothing is lost, and after a clean stop nothing is repeated.
func TestFileToTopicToFile(t *testing.T) { fileToTopicToFile(t, fake(t)) }

func fileToTopicToFile(t *testing.T, profile cluster.Profile) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.log"), filepath.Join(dir, "out.jsonl")
	appendFile(t, in, lines(0, 2500))
	w, stop := start(t, worker.Config{Cluster: profile})
	put(t, w, sourceProps(in))
	put(t, w, sinkProps(out))
	eventually(t, "2500 lines in the target", func() bool { return len(rows(t, out)) >= 2500 })
	stop()
	appendFile(t, in, lines(2500, 3000))
	w, _ = start(t, worker.Config{Cluster: profile})
	if names := w.Names(); !slices.Equal(names, []string{"in", "out"}) {
		t.Fatalf("connectors after the restart: %v", names)
	}
	eventually(t, "3000 lines in the target", func() bool { return len(rows(t, out)) >= 3000 })
	seen := map[string]int{}
	for _, r := range rows(t, out) {
		seen[r.Value.(string)]++
		if r.Topic != "lines" || r.Timestamp == 0 || r.Key != nil {
			t.Fatalf("row %+v", r)
		}
	}
	for i := range 3000 {
		if line := fmt.Sprintf("line %05d", i); seen[line] != 1 {
			t.Fatalf("%s is there %d times", line, seen[line])
		}
	}
	admin := kadm.NewClient(client(t, profile))
	eventually(t, "the group at the end", func() bool { return lag(t, admin, "connect-out", "lines") == 0 })
}

// lag is how far a group is behind the end of a topic.
func lag(t *testing.T, admin *kadm.Client, group, topic string) int64 {
	t.Helper()
	ctx := context.Background()
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return -1
	}
	var behind int64
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := committed.Lookup(topic, end.Partition)
		if !ok {
			at.At = 0
		}
		behind += end.Offset - max(0, at.At)
	})
	return behind
}

// What stands in the topics is what Kafka Connect writes.
func TestStoredFormats(t *testing.T) { storedFormats(t, fake(t)) }

func storedFormats(t *testing.T, profile cluster.Profile) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.log")
	appendFile(t, in, lines(0, 3))
	w, stop := start(t, worker.Config{Cluster: profile})
	put(t, w, sourceProps(in))
	consume(t, profile, "lines", 3)
	if err := w.SetTarget(context.Background(), "in", worker.TargetStopped); err != nil {
		t.Fatal(err)
	}
	eventually(t, "STOPPED", func() bool {
		s, err := w.Status("in")
		return err == nil && s.State == worker.Stopped && len(s.Tasks) == 0
	})
	stop()
	stored := map[string]string{}
	c := client(t, profile, kgo.ConsumeTopics("connect-configs", "connect-offsets"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	deadline, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for stored["commit-in"] != `{"tasks":0}` || len(stored) < 5 {
		c.PollFetches(deadline).EachRecord(func(r *kgo.Record) { stored[string(r.Key)] = string(r.Value) })
		if deadline.Err() != nil {
			t.Fatalf("stored: %v", stored)
		}
	}
	if got := stored["target-state-in"]; got != `{"state":"PAUSED","state.v2":"STOPPED"}` {
		t.Errorf("target state %s", got)
	}
	if got, want := stored["connector-in"], fmt.Sprintf(`{"properties":{"connector.class":"file-source","name":"in","path":%q,"poll_interval":"20ms","topic":"lines"}}`, in); got != want {
		t.Errorf("connector\n%s, want\n%s", got, want)
	}
	if got := stored["task-in-0"]; got != `{"properties":{"share":"0/1"}}` {
		t.Errorf("task %s", got)
	}
	offset, ok := stored[fmt.Sprintf(`["in",{"path":%q}]`, in)]
	if !ok || !strings.Contains(offset, `"offset":33`) {
		t.Errorf("offset %q of %v", offset, stored)
	}
	topics, err := kadm.NewClient(client(t, profile)).ListTopics(context.Background(), "connect-configs", "connect-offsets")
	if err != nil || len(topics["connect-configs"].Partitions) != 1 || len(topics["connect-offsets"].Partitions) != 25 {
		t.Errorf("topics: %v, %v", topics, err)
	}
}

// CB2, and an invalid configuration that is stored already stays FAILED and
// takes nothing else with it.
func TestInvalidConfigStaysFailed(t *testing.T) {
	profile := fake(t)
	bad := map[string]string{"name": "bad", "connector.class": "file-sorce"}
	w, _ := start(t, worker.Config{Cluster: profile})
	_, _, err := w.Put(context.Background(), "bad", bad)
	var config *connect.ConfigError
	if !errors.As(err, &config) || !strings.Contains(err.Error(), "did you mean file-source?") || !strings.Contains(err.Error(), "file-sink") {
		t.Fatalf("got %v", err)
	}
	if len(w.Names()) != 0 {
		t.Fatal("an invalid connector was stored")
	}
	// What another version stored is kept, and shown as failed.
	c := client(t, profile)
	record := &kgo.Record{Topic: "connect-configs", Key: []byte("connector-bad"), Value: []byte(`{"properties":{"name":"bad","connector.class":"file-sorce"}}`)}
	if err := c.ProduceSync(context.Background(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "FAILED", func() bool {
		s, err := w.Status("bad")
		return err == nil && s.State == worker.Failed && strings.Contains(s.Trace, "unknown class") && s.Kind == "unknown"
	})
}

// Two connectors in a file run without a config topic; source offsets are
// kept all the same.
func TestRunFromFile(t *testing.T) {
	profile, dir := fake(t), t.TempDir()
	in := filepath.Join(dir, "in.log.gz")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := fmt.Fprint(z, lines(0, 500), "last line without end")
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	appendFile(t, in, zipped.String())
	connectors, err := connect.Parse("c.yaml", fmt.Appendf(nil, `
connect:
  connectors:
    - name: in
      class: file-source
      settings: {path: %q, topic: lines, at_eof: emit, poll_interval: 20ms}
      create_topics: {partitions: 1}
    - name: out
      class: file-sink
      topics: [lines]
      settings: {path: %q}
`, in, filepath.Join(dir, "{topic}-{partition}.jsonl")), all.List(), connect.Secrets{Any: true})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "lines-0.jsonl")
	for range 2 { // the second run finds nothing new
		w, stop := start(t, worker.Config{Cluster: profile, Connectors: connectors, Secrets: connect.Secrets{Any: true}})
		eventually(t, "501 rows", func() bool { return len(rows(t, out)) >= 501 })
		if _, err := w.Create(context.Background(), "x", connectors[0].Properties, worker.TargetStarted); !errors.Is(err, worker.ErrFixed) {
			t.Errorf("create: %v", err)
		}
		stop()
	}
	got := rows(t, out)
	if len(got) != 501 || got[500].Value != "last line without end" {
		t.Fatalf("%d rows, the last is %+v", len(got), got[len(got)-1])
	}
	topics, err := kadm.NewClient(client(t, profile)).ListTopics(context.Background())
	if err != nil || topics.Has("connect-configs") || len(topics["lines"].Partitions) != 1 {
		t.Errorf("topics %v, %v", topics.Names(), err)
	}
}
