package mirrormaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// pair is two clusters with a flow between them.
type pair struct {
	t        *testing.T
	from, to cluster.Profile
	flow     Flow
	mirror   *Mirror // the last that was started
}

func newPair(t *testing.T) *pair {
	return &pair{t: t, from: startCluster(t), to: startCluster(t), flow: testFlow("dr", "a", "b", "orders.*")}
}

func testFlow(name, from, to, include string) Flow {
	return Flow{
		Name: name, From: from, To: to, Mode: "auto", Delivery: "idempotent", CommitInterval: 5 * time.Millisecond,
		Topics: Topics{Include: []string{include}}, Naming: "identity", Separator: ".", Start: "earliest",
		Refresh: 50 * time.Millisecond, Create: Create{ReplicationFactor: -1}, Sync: Sync{Configs: true, Partitions: "grow"},
	}
}

func client(t *testing.T, p cluster.Profile, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := p.Client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (p *pair) create(profile cluster.Profile, topic string, partitions int32, configs map[string]*string) {
	p.t.Helper()
	if _, err := kadm.NewClient(client(p.t, profile)).CreateTopic(p.t.Context(), partitions, -1, configs, topic); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) produce(profile cluster.Profile, records ...*kgo.Record) {
	p.t.Helper()
	if err := client(p.t, profile).ProduceSync(p.t.Context(), records...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
}

func numbered(topic string, partition int32, from, to int) (records []*kgo.Record) {
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{
			Topic: topic, Partition: partition, Timestamp: time.UnixMilli(int64(1_400_000_000_000 + i)),
			Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "v%d", i),
		})
	}
	return records
}

// start runs the flow until stop is called, which returns what Run returned.
func (p *pair) start() (m *Mirror, stop func() error) {
	p.t.Helper()
	m, err := New(Config{Flows: []Flow{p.flow}, Profiles: map[string]cluster.Profile{"a": p.from, "b": p.to}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.mirror = m
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var result error
	var ended bool
	stop = func() error {
		if !ended {
			cancel()
			result, ended = <-done, true
		}
		return result
	}
	p.t.Cleanup(func() {
		if err := stop(); err != nil {
			p.t.Errorf("Run: %v", err)
		}
	})
	return m, stop
}

// dump reads what a partition holds, as an independent reader.
func (p *pair) dump(profile cluster.Profile, topic string, partition int32) []string {
	p.t.Helper()
	asking := client(p.t, profile)
	defer asking.Close()
	bounds, err := cluster.ListBounds(p.t.Context(), asking, 0, topic)
	if err != nil {
		return nil
	}
	start, end := bounds[topic][partition].Start, bounds[topic][partition].End
	var all []string
	reader := client(p.t, profile, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(start)}}))
	defer reader.Close()
	for next := start; next < end; {
		fetches := reader.PollFetches(p.t.Context())
		if err := fetches.Err(); err != nil {
			p.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			all = append(all, show(r))
			next = r.Offset + 1
		})
	}
	return all
}

func show(r *kgo.Record) string {
	null := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%d %s=%s %v codec %d", r.Timestamp.UnixMilli(), null(r.Key), null(r.Value), r.Headers, r.Attrs.CompressionType())
}

// await polls until the target's partition equals the source's.
func (p *pair) await(topic string, partition int32, target string) {
	p.t.Helper()
	want := p.dump(p.from, topic, partition)
	var got []string
	p.eventually(func() bool {
		got = p.dump(p.to, target, partition)
		return len(got) >= len(want)
	}, func() string {
		return fmt.Sprintf("%s-%d has %d records of %d: %+v", target, partition, len(got), len(want), p.status())
	})
	if !slices.Equal(got, want) {
		p.t.Fatalf("%s-%d holds\n%s\nits source\n%s", target, partition, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// status is what the mirror says, for a failure.
func (p *pair) status() []Status {
	if p.mirror == nil {
		return nil
	}
	return p.mirror.Status()
}

func (p *pair) eventually(ok func() bool, what func() string) {
	p.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			p.t.Fatal(what())
		case <-tick.C:
		}
	}
}

// MT2, MT3: what a record is does not change on the way: partition, order, key,
// value, headers with their order and duplicates, nulls, timestamp and codec.
func TestCopiesRecordsAsTheyAre(t *testing.T) {
	p := newPair(t)
	p.create(p.from, "orders", 3, map[string]*string{"retention.ms": new("86400000"), "min.insync.replicas": new("1")})
	strange := &kgo.Record{Topic: "orders", Partition: 1, Timestamp: time.UnixMilli(5), Key: nil, Value: []byte{},
		Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}, {Key: "", Value: []byte{}}}}
	tombstone := &kgo.Record{Topic: "orders", Partition: 1, Timestamp: time.UnixMilli(4), Key: []byte{}, Value: nil}
	p.produce(p.from, append(numbered("orders", 0, 0, 500), strange, tombstone)...)
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		c := client(t, p.from, kgo.ProducerBatchCompression(codec))
		records := numbered("orders", 2, i*50, (i+1)*50)
		for _, r := range records {
			r.Value = []byte(strings.Repeat("x", 200)) // worth compressing
		}
		if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	for partition := range int32(3) {
		p.await("orders", partition, "orders")
	}
	configs, err := kadm.NewClient(client(t, p.to)).DescribeTopicConfigs(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if got := value(configs[0], "retention.ms"); got != "86400000" {
		t.Errorf("retention.ms is %q at the target", got)
	}
}

// A flow that is stopped and started again, at any moment, goes on where it
// was: nothing missing, nothing twice.
func TestResumesAfterStop(t *testing.T) {
	p := newPair(t)
	p.create(p.from, "orders", 1, nil)
	for i := range 5 {
		p.produce(p.from, numbered("orders", 0, i*200, (i+1)*200)...)
		_, stop := p.start()
		p.eventually(func() bool { return len(p.dump(p.to, "orders", 0)) > i*200 }, func() string { return "nothing arrives" })
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	p.await("orders", 0, "orders")
}

// A kill between data and position: the target holds more than the position
// says, and the tail check neither loses nor doubles a record.
func TestResumesAfterKillBeforePosition(t *testing.T) {
	p := newPair(t)
	p.create(p.from, "orders", 1, nil)
	p.produce(p.from, numbered("orders", 0, 0, 100)...)
	_, stop := p.start()
	p.await("orders", 0, "orders")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	p.produce(p.from, numbered("orders", 0, 100, 150)...)
	for _, known := range []int64{0, 40, 99} { // the position as an earlier commit left it
		p.rewind("orders", 0, known)
		_, stop := p.start()
		p.await("orders", 0, "orders")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// rewind writes the position that a kill at this offset would have left.
func (p *pair) rewind(topic string, number int32, next int64) {
	p.t.Helper()
	s, err := openState(p.t.Context(), p.to, p.flow.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.close()
	at := &partition{topicPartition: topicPartition{topic, number}}
	position := s.positions[at.topicPartition]
	position.Next, position.TargetNext = next, next
	err = s.write(p.t.Context(), []*partition{at}, []progress.Position{position})
	if err != nil {
		p.t.Fatal(err)
	}
}

// Somebody else's record in the target is named, and nothing is copied over it.
func TestMB13ForeignWriter(t *testing.T) {
	p := newPair(t)
	p.create(p.from, "orders", 1, nil)
	p.produce(p.from, numbered("orders", 0, 0, 10)...)
	_, stop := p.start()
	p.await("orders", 0, "orders")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	p.produce(p.to, &kgo.Record{Topic: "orders", Value: []byte("foreign")})
	p.produce(p.from, numbered("orders", 0, 10, 20)...)
	m, _ := p.start()
	p.awaitStop(m, "orders", "target", "somebody else")
	if got := len(p.dump(p.to, "orders", 0)); got != 11 {
		t.Errorf("target has %d records, want the 10 copied and the foreign one", got)
	}
}

func (p *pair) awaitStop(m *Mirror, topic, reason, message string) {
	p.t.Helper()
	var last []Status
	p.eventually(func() bool {
		last = m.Status()
		return slices.ContainsFunc(last, func(s Status) bool { return s.Topic == topic && s.Stopped != nil })
	}, func() string { return fmt.Sprintf("%s did not stop: %+v", topic, last) })
	for _, s := range last {
		if s.Topic == topic && s.Stopped != nil && (s.Stopped.Reason != reason || !strings.Contains(s.Stopped.Message, message) || s.Stopped.Remedy == "") {
			p.t.Errorf("stopped with %+v", s.Stopped)
		}
	}
}

// MT4: retention that passed the mirror stops the partition, names the range,
// and MT24: the other partitions go on.
func TestMT4GapStopsOnePartition(t *testing.T) {
	p := newPair(t)
	p.create(p.from, "orders", 2, nil)
	p.produce(p.from, append(numbered("orders", 0, 0, 50), numbered("orders", 1, 0, 50)...)...)
	_, stop := p.start()
	p.await("orders", 0, "orders")
	p.await("orders", 1, "orders")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	p.produce(p.from, append(numbered("orders", 0, 50, 80), numbered("orders", 1, 50, 80)...)...)
	var cut kadm.Offsets
	cut.AddOffset("orders", 0, 60, -1)
	if _, err := kadm.NewClient(client(t, p.from)).DeleteRecords(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	m, stop := p.start()
	p.awaitStop(m, "orders", "gap", "offsets 50 to 59")
	p.await("orders", 1, "orders")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	p.flow.OnGap = "continue"
	p.start()
	p.eventually(func() bool { return len(p.dump(p.to, "orders", 0)) == 70 }, func() string {
		return fmt.Sprintf("target has %d records, want 50 and the 20 that are left", len(p.dump(p.to, "orders", 0)))
	})
}

// MT1: topics and partitions that appear later are copied from their first
// record, whatever start says.
func TestMT1LaterTopicsFromTheStart(t *testing.T) {
	p := newPair(t)
	p.flow.Start = "latest"
	p.create(p.from, "orders.old", 1, nil)
	p.produce(p.from, numbered("orders.old", 0, 0, 10)...)
	m, _ := p.start()
	p.eventually(func() bool { return len(m.Status()) == 1 }, func() string { return "the flow does not begin" })
	p.create(p.from, "orders.new", 1, nil)
	p.produce(p.from, numbered("orders.new", 0, 0, 10)...)
	p.await("orders.new", 0, "orders.new")
	if _, err := kadm.NewClient(client(t, p.from)).UpdatePartitions(t.Context(), 2, "orders.new"); err != nil {
		t.Fatal(err)
	}
	p.eventually(func() bool { return len(m.Status()) == 3 }, func() string { return fmt.Sprintf("the new partition is not seen: %+v", m.Status()) })
	p.produce(p.from, numbered("orders.new", 1, 0, 10)...)
	p.await("orders.new", 1, "orders.new")
	if got := p.dump(p.to, "orders.old", 0); len(got) != 0 {
		t.Errorf("start: latest copied %d records from before", len(got))
	}
}

// MT19: a record that the target cannot take stops the partition and names it.
func TestMT19TooLarge(t *testing.T) {
	p := newPair(t)
	p.flow.Create.Config = map[string]string{"max.message.bytes": "2000"}
	p.create(p.from, "orders", 1, nil)
	big := &kgo.Record{Topic: "orders", Value: []byte(strings.Repeat("x", 5000))}
	p.produce(p.from, append(numbered("orders", 0, 0, 10), big)...)
	m, _ := p.start()
	p.awaitStop(m, "orders", "too_large", "source offset 10")
	p.eventually(func() bool { return len(p.dump(p.to, "orders", 0)) == 10 }, func() string { return "what came before is missing" })
}

// MB2, MT11: one cluster under two names is found by its id.
func TestMB2OneClusterByTwoNames(t *testing.T) {
	one := startCluster(t)
	m, err := New(Config{Flows: []Flow{testFlow("f", "a", "b", ".*")}, Profiles: map[string]cluster.Profile{"a": one, "b": one}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); !errors.Is(err, ErrOneCluster) {
		t.Fatalf("Run: %v", err)
	}
}

// MB4: identity both ways on one topic is refused before a record moves.
func TestMB4CycleRefused(t *testing.T) {
	p := newPair(t)
	p.create(p.from, "orders", 1, nil)
	m, err := New(Config{
		Flows:    []Flow{testFlow("there", "a", "b", ".*"), testFlow("back", "b", "a", ".*")},
		Profiles: map[string]cluster.Profile{"a": p.from, "b": p.to},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); !errors.Is(err, ErrCycle) || !strings.Contains(err.Error(), "orders") {
		t.Fatalf("Run: %v", err)
	}
}

// MB3: two flows with one target topic would interleave.
func TestMB3OneTargetTopic(t *testing.T) {
	a, b, hub := startCluster(t), startCluster(t), startCluster(t)
	p := &pair{t: t, from: a, to: hub}
	p.create(a, "orders", 1, nil)
	m, err := New(Config{
		Flows:    []Flow{testFlow("ah", "a", "h", ".*"), testFlow("bh", "b", "h", ".*")},
		Profiles: map[string]cluster.Profile{"a": a, "b": b, "h": hub},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); !errors.Is(err, ErrTargetTaken) {
		t.Fatalf("Run: %v", err)
	}
}

// What the flow has copied is not known when the state cannot be read, and
// beginning anew would copy everything twice: so it does not begin.
func TestStateThatCannotBeReadEndsTheStart(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := openState(gone, startCluster(t), "f"); err == nil {
		s.close()
		t.Error("a state was read from a cluster that does not answer")
	}
}
