package streams

import "github.com/millrace-io/millrace/streams/internal/topology"

// To writes the stream to a topic, which must exist or be created by the
// cluster on first use.
func (s KStream[K, V]) To(topic string, with Serdes[K, V]) {
	name := s.b.number("sink-" + topic)
	if with.key == nil || with.value == nil {
		s.b.fail("node %q: topic %q: need a serde for keys and one for values", name, topic)
	}
	newSink(s, name, topology.Topic{Name: topic}, with, false)
}

// newSink adds a sink. A keyed one drops records without a key.
func newSink[K, V any](s KStream[K, V], name string, topic topology.Topic, with Serdes[K, V], keyed bool) {
	n := &topology.Node{Name: name, Kind: topology.Sink, Topic: topic}
	s.b.checkSerde("node "+name+": keys", with.key)
	s.b.checkSerde("node "+name+": values", with.value)
	n.Build = func(rt topology.Runtime, _ []any) any {
		k := &sink[K, V]{with: with, topic: rt.Topic(topic), rt: rt, node: n, keyed: keyed}
		return next[K, V](k.process)
	}
	s.b.add(n, s.node)
}

// sink is a sink's part of a task.
type sink[K, V any] struct {
	with  Serdes[K, V]
	topic string
	rt    topology.Runtime
	node  *topology.Node
	keyed bool
}

func (k *sink[K, V]) process(r Record[K, V]) error {
	k.rt.Enter(k.node)
	if k.keyed && r.NullKey {
		k.rt.Dropped(k.node, topology.NullKey)
		return nil
	}
	key, value, err := k.with.Encode(k.topic, r)
	if err != nil {
		return k.rt.Fault(k.node, err)
	}
	return k.rt.Emit(topology.Outgoing{
		Topic:     k.topic,
		Partition: topology.AnyPartition,
		Timestamp: r.Timestamp.UnixMilli(),
		Key:       key,
		Value:     value,
		Headers:   r.Headers,
	})
}
