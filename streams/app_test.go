package streams_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m,
		// goleveldb's pool drainer ends up to a second after Close.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// kafka is a cluster for one test.
type kafka struct {
	t       *testing.T
	profile cluster.Profile
	client  *kgo.Client
	admin   *kadm.Client
}

// startKafka starts a broker of our own.
func startKafka(t *testing.T) *kafka {
	t.Helper()
	// By its address and not through memory, so that a child process finds it.
	return connect(t, cluster.Profile{Bootstrap: brokertest.Start(t, brokertest.Property("group.min.session.timeout.ms", "500")).Addrs()})
}

// startFake starts franz-go's fake, which is another implementation of the
// same protocol.
func startFake(t *testing.T) *kafka {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "500"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return connect(t, cluster.Profile{Bootstrap: c.ListenAddrs()})
}

// onEach runs the test on both.
func onEach(t *testing.T, test func(t *testing.T, k *kafka)) {
	t.Run("millrace", func(t *testing.T) { test(t, startKafka(t)) })
	t.Run("kfake", func(t *testing.T) { test(t, startFake(t)) })
}

func connect(t *testing.T, profile cluster.Profile) *kafka {
	t.Helper()
	client, err := profile.Client(kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &kafka{t: t, profile: profile, client: client, admin: kadm.NewClient(client)}
}

func (k *kafka) create(partitions int32, topics ...string) {
	k.t.Helper()
	if _, err := k.admin.CreateTopics(k.t.Context(), partitions, -1, nil, topics...); err != nil {
		k.t.Fatal(err)
	}
	for _, topic := range topics {
		if d, err := k.admin.ListTopics(k.t.Context(), topic); err != nil || d.Error() != nil {
			k.t.Fatal(topic, err, d.Error())
		}
	}
}

func (k *kafka) produce(records ...*kgo.Record) {
	k.t.Helper()
	if err := k.client.ProduceSync(k.t.Context(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// read gives everything that is in a topic now.
func (k *kafka) read(topic string) []*kgo.Record {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 20*time.Second)
	defer cancel()
	ends, err := k.admin.ListEndOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		k.t.Fatal(topic, err, ends.Error())
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	client, err := k.profile.Client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		k.t.Fatal(err)
	}
	defer client.Close()
	var out []*kgo.Record
	for int64(len(out)) < left {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			k.t.Fatalf("topic %s: %d of %d records: %v", topic, len(out), left, err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

// table reads a topic as a table.
func (k *kafka) table(topic string) map[string]int64 {
	k.t.Helper()
	out := map[string]int64{}
	for _, r := range k.read(topic) {
		n, err := serde.Int64().Decode(topic, r.Value)
		if err != nil {
			k.t.Fatal(err)
		}
		out[string(r.Key)] = n
	}
	return out
}

// config is one that commits often and logs to the test.
func (k *kafka) config(id, dir string) streams.Config {
	return streams.Config{
		Cluster: k.profile, AppID: id, StateDir: dir, CommitInterval: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// running is an application that runs.
type running struct {
	t    *testing.T
	app  *streams.App
	stop context.CancelFunc
	done chan error
}

func run(t *testing.T, b *streams.Builder, cfg streams.Config) *running {
	t.Helper()
	app, err := streams.New(b, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t: t, app: app, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- app.Run(ctx) }()
	t.Cleanup(stop)
	return r
}

// ready waits until every task runs.
func (r *running) ready() {
	r.t.Helper()
	select {
	case <-r.app.Ready():
	case err := <-r.done:
		r.t.Fatalf("ended before it was ready: %v", err)
	case <-time.After(30 * time.Second):
		r.t.Fatal("not ready after 30 s")
	}
}

// settle waits until the application has committed all of its inputs.
func (r *running) settle() {
	r.t.Helper()
	r.ready()
	ctx, cancel := context.WithTimeout(r.t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for zeros := 0; zeros < 2; {
		select {
		case err := <-r.done:
			r.t.Fatalf("ended before its inputs were processed: %v", err)
		case <-tick.C:
		}
		lag, err := r.app.Lag(ctx)
		if err != nil {
			r.t.Fatal(err)
		}
		if zeros++; lag != 0 {
			zeros = 0
		}
	}
}

// end stops the application cleanly.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	if err := r.wait(); err != nil {
		r.t.Fatalf("ended with %v", err)
	}
}

// wait gives what Run returned.
func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(30 * time.Second):
		r.t.Fatal("still running after 30 s")
		return nil
	}
}

func record(topic, key, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
}

func TestAppCountsAcrossPartitions(t *testing.T) { onEach(t, testCounts) }

func testCounts(t *testing.T, k *kafka) {
	k.create(3, "lines", "counts")
	b := streams.NewBuilder()
	wordCount(b)
	r := run(t, b, k.config("wordcount", t.TempDir()))
	want := map[string]int64{}
	var lines []*kgo.Record
	for i := range 300 {
		lines = append(lines, record("lines", fmt.Sprint(i), fmt.Sprintf("all w%d", i%7)))
		want["all"]++
		want[fmt.Sprint("w", i%7)]++
	}
	k.produce(lines...)
	r.settle()
	if diff := cmp.Diff(want, k.table("counts")); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	r.end()
}

// What is restored from the changelog, what is left on disk, and what a clean
// stop wrote is the same state.
func TestAppContinuesItsState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		keep bool
	}{{"with its directory", true}, {"with an empty directory", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := startKafka(t)
			k.create(2, "lines", "counts")
			dir := t.TempDir()
			want := map[string]int64{}
			for round := range 3 {
				b := streams.NewBuilder()
				wordCount(b)
				r := run(t, b, k.config("wordcount", dir))
				var lines []*kgo.Record
				for i := range 100 {
					word := fmt.Sprint("w", i%9)
					lines = append(lines, record("lines", "", word))
					want[word]++
				}
				k.produce(lines...)
				r.settle()
				r.end()
				if diff := cmp.Diff(want, k.table("counts")); diff != "" {
					t.Fatalf("round %d (-want +got):\n%s", round, diff)
				}
				if !c.keep {
					dir = t.TempDir()
				}
			}
		})
	}
}

func TestAppSpreadsItsTasksOverInstances(t *testing.T) {
	t.Parallel()
	onEach(t, testSpread)
}

func testSpread(t *testing.T, k *kafka) {
	t.Parallel()
	k.create(4, "lines", "counts")
	var instances []*running
	want := map[string]int64{}
	feed := func() {
		var lines []*kgo.Record
		for i := range 200 {
			word := fmt.Sprint("w", i%11)
			lines = append(lines, record("lines", fmt.Sprint(i), word))
			want[word]++
		}
		k.produce(lines...)
	}
	for range 3 {
		b := streams.NewBuilder()
		wordCount(b)
		cfg := k.config("wordcount", t.TempDir())
		cfg.Workers = 1
		r := run(t, b, cfg)
		r.ready()
		feed()
		instances = append(instances, r)
	}
	for _, r := range instances[:2] {
		feed()
		r.end()
	}
	feed()
	last := instances[2]
	last.settle()
	if diff := cmp.Diff(want, k.table("counts")); diff != "" {
		t.Errorf("counts after two handovers (-want +got):\n%s", diff)
	}
	last.end()
}

func TestAppWritesDeadLetters(t *testing.T) {
	k := startKafka(t)
	k.create(1, "in", "out")
	b := streams.NewBuilder()
	faulty(b)
	cfg := k.config("faulty", "")
	cfg.DeadLetters = "faulty-dead"
	r := run(t, b, cfg)
	for _, f := range faults {
		k.produce(&kgo.Record{Topic: "in", Value: []byte(f.value)}, record("in", "", "fine"))
	}
	r.settle()
	r.end()
	if n := len(k.read("out")); n != len(faults) {
		t.Errorf("%d good records got through, want %d", n, len(faults))
	}
	dead := k.read("faulty-dead")
	if len(dead) != len(faults) {
		t.Fatalf("%d dead letters, want %d", len(dead), len(faults))
	}
	for _, d := range dead {
		if len(d.Headers) < 7 || d.Headers[0].Key != "__streams.errors.exception" {
			t.Errorf("dead letter %q has headers %v", d.Value, d.Headers)
		}
	}
}

// Stream time survives a restart: a window that was closed before it does not
// open again after it.
func TestAppKeepsStreamTimeOverARestart(t *testing.T) {
	k := startKafka(t)
	k.create(1, "in", "out")
	dir := t.TempDir()
	at := func(seconds int64) *kgo.Record {
		r := record("in", "a", "v")
		r.Timestamp = sec(seconds)
		return r
	}
	registry := prometheus.NewRegistry()
	session := func(records ...*kgo.Record) *running {
		b := streams.NewBuilder()
		with := streams.With(streams.WindowedKey(serde.String(), 10*time.Second), serde.Int64())
		streams.CountWindowed(streams.Stream(b, "in", text).GroupByKey(), streams.Tumbling(10*time.Second), "n").ToStream().To("out", with)
		cfg := k.config("windows", dir)
		registry = prometheus.NewRegistry()
		cfg.Metrics = registry
		r := run(t, b, cfg)
		k.produce(records...)
		r.settle()
		r.end()
		return r
	}
	session(at(5), at(25))
	r := session(at(6), at(26))
	if n := len(k.read("out")); n != 3 {
		t.Errorf("%d updates, want 3: the window [0,10) had closed before the restart", n)
	}
	if n := r.app.Counters()["n"]; n.Late != 1 || n.MaxLateness != 15*time.Second {
		t.Errorf("%d late by up to %v, want 1 by 15s", n.Late, n.MaxLateness)
	}
	want := `
# HELP millrace_streams_dropped_total Records that did not become a result, by node and reason.
# TYPE millrace_streams_dropped_total counter
millrace_streams_dropped_total{app="windows",node="n",reason="late"} 1
# HELP millrace_streams_processed_total Records processed, by subtopology.
# TYPE millrace_streams_processed_total counter
millrace_streams_processed_total{app="windows",subtopology="0"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "millrace_streams_dropped_total", "millrace_streams_processed_total"); err != nil {
		t.Error(err)
	}
}

func TestReplayKeepsWindowedChangelogsForEver(t *testing.T) {
	for _, c := range []struct {
		replay bool
		want   string
	}{{false, "86410000"}, {true, "-1"}} {
		k := startKafka(t)
		k.create(1, "in")
		b := streams.NewBuilder()
		streams.CountWindowed(streams.Stream(b, "in", text).GroupByKey(), streams.Tumbling(10*time.Second), "n")
		cfg := k.config("windows", t.TempDir())
		cfg.Replay = c.replay
		r := run(t, b, cfg)
		r.ready()
		r.end()
		configs, err := k.admin.DescribeTopicConfigs(t.Context(), "windows-n-changelog")
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range configs[0].Configs {
			if kv.Key == "retention.ms" && kv.MaybeValue() != c.want {
				t.Errorf("replay %t: retention.ms = %s, want %s", c.replay, kv.MaybeValue(), c.want)
			}
		}
	}
}

func TestT1AppStopsWithPlaceOfTheRecord(t *testing.T) {
	k := startKafka(t)
	k.create(1, "in", "out")
	b := streams.NewBuilder()
	faulty(b)
	r := run(t, b, k.config("faulty", ""))
	k.produce(record("in", "", "fine"), record("in", "", "\xff"))
	err := r.wait()
	var fault *streams.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("ended with %v, want a fault", err)
	}
	for _, part := range []string{"topic in partition 0 offset 1", "source-in", "not valid UTF-8"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestT5MissingInputIsNamed(t *testing.T) {
	k := startKafka(t)
	b := streams.NewBuilder()
	wordCount(b)
	r := run(t, b, k.config("wordcount", t.TempDir()))
	if err := r.wait(); err == nil || !strings.Contains(err.Error(), "input topic lines does not exist") {
		t.Errorf("ended with %v, want the missing topic's name", err)
	}
}

func TestT6InternalTopicWithWrongShapeIsRefused(t *testing.T) {
	compact, remove := "compact", "delete"
	for _, c := range []struct {
		name, topic string
		partitions  int32
		policy      *string
		want        string
	}{
		{"changelog is deleted from", "wordcount-word-counts-changelog", 2, &remove, "set cleanup.policy=compact"},
		{"repartition topic is compacted", "wordcount-word-counts-repartition", 2, &compact, "set cleanup.policy=delete"},
		{"too few partitions", "wordcount-word-counts-changelog", 1, &compact, "has 1 partitions, the topology needs 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := startKafka(t)
			k.create(2, "lines")
			if _, err := k.admin.CreateTopic(t.Context(), c.partitions, -1, map[string]*string{"cleanup.policy": c.policy}, c.topic); err != nil {
				t.Fatal(err)
			}
			b := streams.NewBuilder()
			wordCount(b)
			r := run(t, b, k.config("wordcount", t.TempDir()))
			if err := r.wait(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.topic) {
				t.Errorf("ended with %v, want %s: %s", err, c.topic, c.want)
			}
		})
	}
}

func TestT8StateDirectoryOfAnotherProcess(t *testing.T) {
	k := startKafka(t)
	k.create(1, "lines", "counts")
	dir := t.TempDir()
	build := func() *streams.Builder {
		b := streams.NewBuilder()
		wordCount(b)
		return b
	}
	first := run(t, build(), k.config("wordcount", dir))
	first.ready()
	second := run(t, build(), k.config("wordcount", dir))
	if err := second.wait(); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the second ended with %v, want the directory's path", err)
	}
	first.end()
}

func TestT8StateDirectoryThatCannotBeMade(t *testing.T) {
	k := startKafka(t)
	k.create(1, "lines", "counts")
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := streams.NewBuilder()
	wordCount(b)
	r := run(t, b, k.config("wordcount", file))
	if err := r.wait(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("ended with %v, want the directory's path", err)
	}
}

func TestT9TwoTopologiesUnderOneAppID(t *testing.T) {
	k := startKafka(t)
	k.create(1, "lines", "counts")
	b := streams.NewBuilder()
	wordCount(b)
	first := run(t, b, k.config("app", t.TempDir()))
	first.ready()
	other := streams.NewBuilder()
	streams.Stream(other, "lines", text).To("counts", text)
	second := run(t, other, k.config("app", ""))
	rest := second
	var err error
	select {
	case err = <-first.done:
	case err = <-second.done:
		rest = first
	case <-time.After(30 * time.Second):
		t.Fatal("neither noticed")
	}
	if err == nil || !strings.Contains(err.Error(), "two applications with one AppID") {
		t.Errorf("one ended with %v", err)
	}
	rest.stop()
	_ = rest.wait() // it may have noticed too, or not
}

func TestNewReportsEveryFaultOfTheConfig(t *testing.T) {
	b := streams.NewBuilder()
	wordCount(b)
	_, err := streams.New(b, streams.Config{AppID: "a b", Guarantee: streams.ExactlyOnce, CommitInterval: -1, Workers: -1})
	if !errors.Is(err, streams.ErrExactlyOnce) {
		t.Errorf("no %v", streams.ErrExactlyOnce)
	}
	for _, part := range []string{"bootstrap", `AppID "a b"`, "StateDir", "CommitInterval", "Workers"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("nothing about %s", part)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}
