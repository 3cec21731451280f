package streamstest

import (
	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/internal/topology"
)

// InputTopic writes to a topic that the topology reads.
type InputTopic[K, V any] struct {
	d     *Driver
	topic string
	with  streams.Serdes[K, V]
}

// Input gives access to an input topic, and fails the test if the topology
// does not read it.
func Input[K, V any](d *Driver, topic string, with streams.Serdes[K, V]) *InputTopic[K, V] {
	d.t.Helper()
	for _, sub := range d.topology.Subtopologies {
		for _, n := range sub.Sources() {
			if n.Topic.Full(appID) == topic {
				return &InputTopic[K, V]{d: d, topic: topic, with: with}
			}
		}
	}
	d.t.Fatalf("the topology does not read topic %q", topic)
	return nil
}

// Pipe writes a record with the clock's time and processes it.
func (in *InputTopic[K, V]) Pipe(key K, value V) {
	in.d.t.Helper()
	in.PipeRecord(streams.Record[K, V]{Key: key, Value: value, Timestamp: in.d.now})
}

// PipeRecord writes a record and processes it. A fault that the handler does
// not pass over fails the test.
func (in *InputTopic[K, V]) PipeRecord(r streams.Record[K, V]) {
	in.d.t.Helper()
	if err := in.TryPipe(r); err != nil {
		in.d.t.Fatal(err)
	}
}

// TryPipe is PipeRecord for tests that expect the fault.
func (in *InputTopic[K, V]) TryPipe(r streams.Record[K, V]) error {
	in.d.t.Helper()
	key, value, err := in.with.Encode(in.topic, r)
	if err != nil {
		in.d.t.Fatal(err)
	}
	return in.d.pipe(topology.Outgoing{
		Topic: in.topic, Partition: topology.AnyPartition, Timestamp: r.Timestamp.UnixMilli(),
		Key: key, Value: value, Headers: r.Headers,
	})
}

// PipeBytes writes a record that need not decode, and processes it.
func (d *Driver) PipeBytes(topic string, key, value []byte) error {
	return d.pipe(topology.Outgoing{
		Topic: topic, Partition: topology.AnyPartition, Timestamp: d.now.UnixMilli(), Key: key, Value: value,
	})
}

func (d *Driver) pipe(out topology.Outgoing) error {
	d.write(out)
	return d.run()
}

// OutputTopic reads a topic that the topology writes.
type OutputTopic[K, V any] struct {
	d     *Driver
	topic string
	with  streams.Serdes[K, V]
}

// Output gives access to a topic that the topology writes.
func Output[K, V any](d *Driver, topic string, with streams.Serdes[K, V]) *OutputTopic[K, V] {
	return &OutputTopic[K, V]{d: d, topic: topic, with: with}
}

// All gives every record of the topic so far, in the order of writing.
func (out *OutputTopic[K, V]) All() []streams.Record[K, V] {
	out.d.t.Helper()
	var all []streams.Record[K, V]
	for _, raw := range out.d.topic(out.topic).records {
		r, err := out.with.Decode(&raw)
		if err != nil {
			out.d.t.Fatalf("topic %s partition %d offset %d: %v", raw.Topic, raw.Partition, raw.Offset, err)
		}
		all = append(all, r)
	}
	return all
}

// Raw gives every record of a topic so far, as it was written.
func (d *Driver) Raw(topic string) []streams.Raw { return d.topic(topic).records }

// Latest reads a topic as a table: the last value of every key.
func Latest[K comparable, V any](out *OutputTopic[K, V]) map[K]V {
	out.d.t.Helper()
	table := map[K]V{}
	for _, r := range out.All() {
		if r.NullValue {
			delete(table, r.Key)
		} else {
			table[r.Key] = r.Value
		}
	}
	return table
}
