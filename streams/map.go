package streams

import "github.com/millrace-io/millrace/streams/internal/topology"

// KeyValue is a key with its value.
type KeyValue[K, V any] struct {
	Key   K
	Value V
}

// Map makes one record of each, with a new key and value. The result has no
// null key and no null value; f sees a null as the type's zero value.
//
// A new key only marks the stream: the next grouping sends the records to the
// partitions of their keys, once.
func Map[K, V, K2, V2 any](s KStream[K, V], f func(K, V) (K2, V2)) KStream[K2, V2] {
	return TryMap(s, func(k K, v V) (K2, V2, error) {
		k2, v2 := f(k, v)
		return k2, v2, nil
	})
}

// TryMap is Map with a function that can fail. A failure is a fault of the
// record: see [Config.Processing].
func TryMap[K, V, K2, V2 any](s KStream[K, V], f func(K, V) (K2, V2, error)) KStream[K2, V2] {
	n := operator(s, "map", func(rt topology.Runtime, n *topology.Node, next next[K2, V2]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			k, v, err := f(r.Key, r.Value)
			if err != nil {
				return rt.Fault(n, err)
			}
			return next(Record[K2, V2]{Key: k, Value: v, Timestamp: r.Timestamp, Headers: r.Headers})
		}
	})
	return KStream[K2, V2]{b: s.b, node: n, rekeyed: true}
}

// MapValues makes one record of each, with a new value and the same key. A
// null value stays null, without a call of f.
func MapValues[K, V, V2 any](s KStream[K, V], f func(V) V2) KStream[K, V2] {
	return TryMapValues(s, func(v V) (V2, error) { return f(v), nil })
}

// TryMapValues is MapValues with a function that can fail. A failure is a
// fault of the record: see [Config.Processing].
func TryMapValues[K, V, V2 any](s KStream[K, V], f func(V) (V2, error)) KStream[K, V2] {
	n := operator(s, "map-values", func(rt topology.Runtime, n *topology.Node, next next[K, V2]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			out := Record[K, V2]{Key: r.Key, Timestamp: r.Timestamp, Headers: r.Headers, NullKey: r.NullKey, NullValue: r.NullValue}
			if !r.NullValue {
				var err error
				if out.Value, err = f(r.Value); err != nil {
					return rt.Fault(n, err)
				}
			}
			return next(out)
		}
	})
	return KStream[K, V2]{b: s.b, node: n, key: s.key, rekeyed: s.rekeyed}
}

// FlatMap makes any number of records of each.
func FlatMap[K, V, K2, V2 any](s KStream[K, V], f func(K, V) []KeyValue[K2, V2]) KStream[K2, V2] {
	return TryFlatMap(s, func(k K, v V) ([]KeyValue[K2, V2], error) { return f(k, v), nil })
}

// TryFlatMap is FlatMap with a function that can fail. A failure is a fault of
// the record: see [Config.Processing].
func TryFlatMap[K, V, K2, V2 any](s KStream[K, V], f func(K, V) ([]KeyValue[K2, V2], error)) KStream[K2, V2] {
	n := operator(s, "flat-map", func(rt topology.Runtime, n *topology.Node, next next[K2, V2]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			all, err := f(r.Key, r.Value)
			if err != nil {
				return rt.Fault(n, err)
			}
			for _, kv := range all {
				if err := next(Record[K2, V2]{Key: kv.Key, Value: kv.Value, Timestamp: r.Timestamp, Headers: r.Headers}); err != nil {
					return err
				}
			}
			return nil
		}
	})
	return KStream[K2, V2]{b: s.b, node: n, rekeyed: true}
}

// FlatMapValues makes any number of records of each, with the same key. A null
// value gives none.
func FlatMapValues[K, V, V2 any](s KStream[K, V], f func(V) []V2) KStream[K, V2] {
	return TryFlatMapValues(s, func(v V) ([]V2, error) { return f(v), nil })
}

// TryFlatMapValues is FlatMapValues with a function that can fail. A failure
// is a fault of the record: see [Config.Processing].
func TryFlatMapValues[K, V, V2 any](s KStream[K, V], f func(V) ([]V2, error)) KStream[K, V2] {
	n := operator(s, "flat-map-values", func(rt topology.Runtime, n *topology.Node, next next[K, V2]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			if r.NullValue {
				return nil
			}
			all, err := f(r.Value)
			if err != nil {
				return rt.Fault(n, err)
			}
			for _, v := range all {
				if err := next(Record[K, V2]{Key: r.Key, Value: v, Timestamp: r.Timestamp, Headers: r.Headers, NullKey: r.NullKey}); err != nil {
					return err
				}
			}
			return nil
		}
	})
	return KStream[K, V2]{b: s.b, node: n, key: s.key, rekeyed: s.rekeyed}
}

// SelectKey gives each record a new key.
func SelectKey[K, V, K2 any](s KStream[K, V], f func(K, V) K2) KStream[K2, V] {
	n := operator(s, "select-key", func(rt topology.Runtime, n *topology.Node, next next[K2, V]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			return next(Record[K2, V]{Key: f(r.Key, r.Value), Value: r.Value, Timestamp: r.Timestamp, Headers: r.Headers, NullValue: r.NullValue})
		}
	})
	return KStream[K2, V]{b: s.b, node: n, value: s.value, rekeyed: true}
}
