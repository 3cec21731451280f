package streams

import "github.com/millrace-io/millrace/streams/internal/topology"

// Stream reads a topic as a stream of records. A topic is read once: asking
// for it again with the same serdes gives the same stream, with others it is
// a fault.
func Stream[K, V any](b *Builder, topic string, with Serdes[K, V]) KStream[K, V] {
	if with.key == nil || with.value == nil {
		b.fail("stream of topic %q: need a serde for keys and one for values", topic)
	}
	serdes := with.describe()
	if before, ok := b.sources[topic]; ok {
		if s, same := before.stream.(KStream[K, V]); same && before.serdes == serdes && with.eventTime == nil {
			return s
		}
		b.fail("topic %q is read twice: once with %s, once with %s; read it once and use that stream twice", topic, before.serdes, serdes)
	}
	s := newSource(b, "source-"+topic, topology.Topic{Name: topic}, with)
	b.sources[topic] = sourceEntry{stream: s, serdes: serdes}
	return s
}

func newSource[K, V any](b *Builder, name string, topic topology.Topic, with Serdes[K, V]) KStream[K, V] {
	n := &topology.Node{Name: name, Kind: topology.Source, Topic: topic}
	b.checkSerde("node "+name+": keys", with.key)
	b.checkSerde("node "+name+": values", with.value)
	n.Build = func(_ topology.Runtime, children []any) any {
		return &source[K, V]{with: with, next: fanout[K, V](children)}
	}
	return KStream[K, V]{b: b, node: b.add(n), key: with.key, value: with.value}
}

// source is a source's part of a task.
type source[K, V any] struct {
	with Serdes[K, V]
	next next[K, V]
	head Record[K, V]
}

// Load implements topology.SourceTask.
func (s *source[K, V]) Load(raw *topology.Raw) (int64, error) {
	head, err := s.with.Decode(raw)
	if err != nil {
		return 0, err
	}
	s.head = head
	return head.Timestamp.UnixMilli(), nil
}

// Process implements topology.SourceTask.
func (s *source[K, V]) Process() error { return s.next(s.head) }
