package streams

import (
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
)

// KGrouped is a stream whose records are to be aggregated by key.
type KGrouped[K, V any] struct {
	stream KStream[K, V]
}

// GroupByKey groups the records by the key they have. If an operator before it
// changed the keys, each aggregation sends the records through a repartition
// topic, `<AppID>-<store>-repartition`; serdes for it are those of the source
// or of [KStream.With].
func (s KStream[K, V]) GroupByKey() KGrouped[K, V] { return KGrouped[K, V]{s} }

// GroupBy groups the records by a new key. Each aggregation sends them through
// a repartition topic, `<AppID>-<store>-repartition`.
func GroupBy[K, V, K2 any](s KStream[K, V], f func(K, V) K2, key serde.Serde[K2]) KGrouped[K2, V] {
	grouped := SelectKey(s, f)
	grouped.key = key
	return KGrouped[K2, V]{grouped}
}

// partitioned gives the stream with equal keys in one partition, for the store
// of that name. A count does not need values: without a serde for them they
// stay behind.
func (g KGrouped[K, V]) partitioned(store string, values bool) KStream[K, V] {
	s := g.stream
	if s.key == nil {
		s.b.fail("store %q: no serde for the keys it groups by; name it with GroupBy or KStream.With", store)
	}
	if !s.rekeyed {
		return s
	}
	if values && s.value == nil {
		s.b.fail("store %q: no serde for the values that go through its repartition topic; name it with KStream.With", store)
	}
	with := Serdes[K, V]{key: s.key, value: s.value}
	topic := topology.Repartition(store)
	newSink(s, topic.Name+"-sink", topic, with, true)
	return newSource(s.b, topic.Name+"-source", topic, with)
}
