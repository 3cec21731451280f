package task

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/state"
)

// ID names a task: a subtopology and a partition.
type ID struct {
	Subtopology int
	Partition   int32
}

func (id ID) String() string { return fmt.Sprintf("%d_%d", id.Subtopology, id.Partition) }

// Output takes the records of a task. acked, if not nil, is set to the offset
// after the record's once it is durable.
type Output interface {
	Emit(record topology.Outgoing, acked *atomic.Int64) error
}

// Config is what a task is made of.
type Config struct {
	ID      ID
	AppID   string
	Sub     *topology.Subtopology
	Overlay *state.Overlay
	Output  Output
	// Positions are those of the stores after their restore, by name.
	Positions map[string]state.Position
	// Handle decides about faults.
	Handle func(*topology.Fault) topology.Action
	// DeadLetters is the topic for what Handle sends there.
	DeadLetters string
	// MaxIdle is how long an empty input is waited for when it is caught up.
	MaxIdle  time.Duration
	Counters *Counters
	Logger   *slog.Logger
}

// Task is one subtopology on one partition. One goroutine at a time.
type Task struct {
	cfg        Config
	rt         *runtime
	inputs     []*input
	streamTime int64
	dirty      bool // something was processed since the last commit
	positions  map[string]*position
}

// position is how far a store's changelog is known to hold the store.
type position struct {
	topicID [16]byte
	next    atomic.Int64
}

// New builds the task's nodes. Its stores are already restored.
func New(cfg Config) (*Task, error) {
	t := &Task{cfg: cfg, streamTime: -1, positions: map[string]*position{}}
	t.rt = &runtime{task: t, stores: map[*topology.Node]*state.Store{}}
	for _, n := range cfg.Sub.Nodes {
		if n.Store == nil {
			continue
		}
		store, err := cfg.Overlay.Store(n.Store.Name)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", cfg.ID, err)
		}
		t.rt.stores[n] = store
		p := &position{topicID: cfg.Positions[n.Store.Name].TopicID}
		p.next.Store(cfg.Positions[n.Store.Name].Offset)
		t.positions[n.Store.Name] = p
	}
	sources := cfg.Sub.Build(t.rt)
	for i, n := range cfg.Sub.Sources() {
		t.inputs = append(t.inputs, newInput(n, n.Topic.Full(cfg.AppID), sources[i]))
	}
	return t, nil
}

// ID is the task's name.
func (t *Task) ID() ID { return t.cfg.ID }

// Store gives the store of that name, or nil if the task has none such.
func (t *Task) Store(name string) *state.Store {
	for n, s := range t.rt.stores {
		if n.Store.Name == name {
			return s
		}
	}
	return nil
}

// StreamTime is the highest event time processed, in milliseconds; -1 before
// the first record.
func (t *Task) StreamTime() int64 { return t.streamTime }

// Advance sets the stream time that an earlier owner of the task reached, or
// windows that it has closed would open again.
func (t *Task) Advance(streamTime int64) { t.streamTime = max(t.streamTime, streamTime) }

// Step processes the next record. It tells whether there was one: if not, the
// task waits for records, or for time to pass.
func (t *Task) Step(now time.Time) (bool, error) {
	in, err := t.next(now)
	if in == nil || err != nil {
		return false, err
	}
	t.streamTime = max(t.streamTime, in.headTime)
	t.dirty = true
	err = t.process(in)
	in.done()
	return err == nil, err
}

// next chooses the input whose head has the lowest event time.
func (t *Task) next(now time.Time) (*input, error) {
	var best *input
	wait := false
	for _, in := range t.inputs {
		ok, err := t.load(in)
		if err != nil {
			return nil, err
		}
		switch {
		case ok && (best == nil || in.headTime < best.headTime):
			best = in
		case !ok && in.mayHaveMore(now, t.cfg.MaxIdle):
			wait = true
		}
	}
	if wait {
		return nil, nil
	}
	return best, nil
}

// load makes sure that the input's head is decoded, passing over what cannot
// be.
func (t *Task) load(in *input) (bool, error) {
	for !in.loaded {
		item, ok := in.first()
		if !ok {
			return false, nil
		}
		if item.skip {
			in.done()
			t.dirty = true
			continue
		}
		t.rt.begin(in.node, &item.raw)
		ts, err := t.rt.decode(in.source, &item.raw)
		if err == nil && ts < 0 {
			err = fmt.Errorf("%w: %d ms", errNegativeTime, ts)
		}
		if err != nil {
			if err := t.rt.fault(topology.Deserialization, in.node, err); err != nil {
				return false, err
			}
			in.done()
			t.dirty = true
			continue
		}
		in.loaded, in.headTime = true, ts
	}
	return true, nil
}

func (t *Task) process(in *input) error {
	item, _ := in.first()
	t.rt.begin(in.node, &item.raw)
	return t.rt.run(in.source)
}

// Touch makes the task dirty, so that its offsets are part of the next commit.
func (t *Task) Touch() { t.dirty = true }

// Dirty tells whether there is something to commit.
func (t *Task) Dirty() bool { return t.dirty }

// Bytes is the memory that uncommitted state holds.
func (t *Task) Bytes() int { return t.cfg.Overlay.Bytes() }

// Changelog sends what the stores took since the last commit to their
// changelogs: one record per key, with the event time of its last update.
func (t *Task) Changelog() error {
	return t.cfg.Overlay.Changes(func(c state.Change) error {
		return t.cfg.Output.Emit(topology.Outgoing{
			Topic:     (&topology.Store{Name: c.Store}).Changelog().Full(t.cfg.AppID),
			Partition: t.cfg.ID.Partition,
			Timestamp: c.Timestamp,
			Key:       c.Key,
			Value:     c.Value,
		}, &t.positions[c.Store].next)
	})
}

// Offset is how far an input has been processed.
type Offset struct {
	Topic      string
	Partition  int32
	Next       int64
	StreamTime int64
}

// Offsets are what may be committed once everything emitted is acked. Inputs
// of which nothing is known yet are left out.
func (t *Task) Offsets() []Offset {
	var out []Offset
	for _, in := range t.inputs {
		if in.position >= 0 {
			out = append(out, Offset{Topic: in.topic, Partition: t.cfg.ID.Partition, Next: in.position, StreamTime: t.streamTime})
		}
	}
	return out
}

// Committed flushes the stores, after Offsets were committed.
func (t *Task) Committed() error {
	positions := map[string]state.Position{}
	for store, p := range t.positions {
		positions[store] = state.Position{TopicID: p.topicID, Offset: p.next.Load()}
	}
	t.dirty = false
	if err := t.cfg.Overlay.Flush(positions); err != nil {
		return fmt.Errorf("task %s: %w", t.cfg.ID, err)
	}
	return nil
}
