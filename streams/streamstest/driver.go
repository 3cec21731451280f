package streamstest

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/state"
)

const appID = "test"

// Driver runs the tasks of a topology. It belongs to one goroutine.
type Driver struct {
	t          testing.TB
	topology   *topology.Topology
	partitions int32
	dead       string
	handle     streams.Handler
	now        time.Time
	tasks      []*task.Task
	topics     map[string]*log
	counters   task.Counters
	partition  kgo.TopicPartitioner
}

// log is a topic: its partitions, and all its records in the order of writing.
type log struct {
	next    []int64
	records []topology.Raw
}

// Option changes a driver.
type Option func(*Driver)

// Partitions gives every topic that many partitions; one by default.
func Partitions(n int32) Option { return func(d *Driver) { d.partitions = n } }

// DeadLetters sends records with faults to the topic, as
// streams.Config.DeadLetters does.
func DeadLetters(topic string) Option {
	return func(d *Driver) { d.dead, d.handle = topic, streams.Always(streams.DeadLetter) }
}

// Handle decides about records with faults; by default they fail the test.
func Handle(h streams.Handler) Option { return func(d *Driver) { d.handle = h } }

// StartAt sets the clock; by default it stands at the beginning of 2020, UTC.
func StartAt(now time.Time) Option { return func(d *Driver) { d.now = now } }

// New makes a driver for the topology that b has built, and fails the test if
// it has faults.
func New(t testing.TB, b *streams.Builder, opts ...Option) *Driver {
	t.Helper()
	topo, err := b.Topology()
	if err != nil {
		t.Fatalf("topology: %v", err)
	}
	d := &Driver{
		t:          t,
		topology:   topo,
		partitions: 1,
		handle:     streams.Always(streams.Fail),
		now:        time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		topics:     map[string]*log{},
		partition:  kgo.StickyKeyPartitioner(nil).ForTopic(""),
	}
	for _, opt := range opts {
		opt(d)
	}
	for _, sub := range topo.Subtopologies {
		for p := range d.partitions {
			d.addTask(sub, task.ID{Subtopology: sub.ID, Partition: p})
		}
	}
	return d
}

func (d *Driver) addTask(sub *topology.Subtopology, id task.ID) {
	tk, err := task.New(task.Config{
		ID:          id,
		AppID:       appID,
		Sub:         sub,
		Overlay:     state.NewOverlay(nil, 0),
		Output:      output{d},
		Handle:      d.handle,
		DeadLetters: d.dead,
		Counters:    &d.counters,
		Logger:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		d.t.Fatalf("task %s: %v", id, err)
	}
	d.tasks = append(d.tasks, tk)
}

// Now is the driver's clock.
func (d *Driver) Now() time.Time { return d.now }

// Advance moves the clock. Stream time moves only with records.
func (d *Driver) Advance(by time.Duration) {
	d.now = d.now.Add(by)
	if err := d.run(); err != nil {
		d.t.Fatal(err)
	}
}

// Counters counts what did not become a result, by node.
func (d *Driver) Counters() map[string]streams.NodeCounters { return d.counters.Snapshot() }

// InternalTopic is the name that the driver gives an internal topic, such as
// "counts-repartition".
func InternalTopic(suffix string) string {
	return topology.Topic{Name: suffix, Internal: true}.Full(appID)
}

// run steps the tasks until none has anything to do.
func (d *Driver) run() error {
	for again := true; again; {
		again = false
		for _, tk := range d.tasks {
			for {
				ok, err := tk.Step(d.now)
				if err != nil {
					return err
				}
				if !ok {
					break
				}
				again = true
			}
		}
	}
	return nil
}

// output is where the tasks write: the driver's topics.
type output struct{ d *Driver }

// Emit implements task.Output.
func (o output) Emit(out topology.Outgoing, acked *atomic.Int64) error {
	raw := o.d.write(out)
	if acked != nil {
		acked.Store(raw.Offset + 1)
	}
	return nil
}

// write appends the record to its topic, and gives it to the task that reads
// it there.
func (d *Driver) write(out topology.Outgoing) topology.Raw {
	l := d.topic(out.Topic)
	p := out.Partition
	if p == topology.AnyPartition {
		p = int32(d.partition.Partition(&kgo.Record{Key: out.Key}, int(d.partitions)))
	}
	raw := topology.Raw{
		Topic: out.Topic, Partition: p, Offset: l.next[p], Timestamp: out.Timestamp,
		Key: slices.Clone(out.Key), Value: slices.Clone(out.Value), Headers: out.Headers,
	}
	l.next[p]++
	l.records = append(l.records, raw)
	for _, tk := range d.tasks {
		if tk.ID().Partition == p {
			tk.Add(raw)
		}
	}
	return raw
}

func (d *Driver) topic(name string) *log {
	l := d.topics[name]
	if l == nil {
		l = &log{next: make([]int64, d.partitions)}
		d.topics[name] = l
	}
	return l
}

// store finds the value under key in the store of that name, whichever task
// has it.
func (d *Driver) store(name string, key []byte) ([]byte, bool, error) {
	found := false
	for _, tk := range d.tasks {
		s := tk.Store(name)
		if s == nil {
			continue
		}
		found = true
		if value, _, ok, err := s.Get(key); err != nil || ok {
			return value, ok, err
		}
	}
	if !found {
		return nil, false, fmt.Errorf("no task has a store %q", name)
	}
	return nil, false, nil
}

// Get gives the value of key in a store.
func Get[K, V any](d *Driver, ref streams.StoreRef[K, V], key K) (V, bool) {
	d.t.Helper()
	v, ok, err := ref.Lookup(key, func(b []byte) ([]byte, bool, error) { return d.store(ref.Name(), b) })
	if err != nil {
		d.t.Fatal(err)
	}
	return v, ok
}
