package streams

import (
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
)

// KStream is a stream of records: each stands for itself. It is a value that
// names a place in the topology; nothing runs until an [App] does.
//
// What keeps the types is a method here; what changes them is a function of
// the package ([Map], [FlatMapValues], [GroupBy] ...), since a method cannot
// have type parameters of its own.
type KStream[K, V any] struct {
	b       *Builder
	node    *topology.Node
	key     serde.Serde[K] // nil after a change of type
	value   serde.Serde[V]
	rekeyed bool // equal keys may lie in different partitions
}

// With names the serdes of the stream, for a grouping that must send its
// records through a repartition topic after their type has changed.
func (s KStream[K, V]) With(with Serdes[K, V]) KStream[K, V] {
	s.key, s.value = with.key, with.value
	return s
}

// Filter keeps the records for which keep is true.
func (s KStream[K, V]) Filter(keep func(K, V) bool) KStream[K, V] {
	return s.operator("filter", func(rt topology.Runtime, n *topology.Node, next next[K, V]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			if !keep(r.Key, r.Value) {
				return nil
			}
			return next(r)
		}
	})
}

// Peek calls see for every record, for logs and counters.
func (s KStream[K, V]) Peek(see func(K, V)) KStream[K, V] {
	return s.operator("peek", func(rt topology.Runtime, n *topology.Node, next next[K, V]) next[K, V] {
		return func(r Record[K, V]) error {
			rt.Enter(n)
			see(r.Key, r.Value)
			return next(r)
		}
	})
}

// Merge gives the records of both streams, in the order of their processing.
func (s KStream[K, V]) Merge(other KStream[K, V]) KStream[K, V] {
	out := s.operator("merge", pass[K, V])
	if s.b != other.b {
		s.b.fail("node %q: the merged stream belongs to another builder", out.node.Name)
		return out
	}
	other.node.Children = append(other.node.Children, out.node)
	out.rekeyed = s.rekeyed || other.rekeyed
	if s.key == nil || s.value == nil {
		out.key, out.value = other.key, other.value
	}
	return out
}

// Branch splits the stream: each record goes to the first branch whose
// condition it meets, and nowhere if it meets none.
func (s KStream[K, V]) Branch(conditions ...func(K, V) bool) []KStream[K, V] {
	n := &topology.Node{Name: s.b.number("branch"), Kind: topology.Operator}
	n.Build = func(rt topology.Runtime, children []any) any {
		return next[K, V](func(r Record[K, V]) error {
			for i, met := range conditions {
				rt.Enter(n)
				if met(r.Key, r.Value) {
					return children[i].(next[K, V])(r)
				}
			}
			return nil
		})
	}
	at := s
	at.node = s.b.add(n, s.node)
	out := make([]KStream[K, V], len(conditions))
	for i := range conditions {
		out[i] = at.operator(n.Name+"-arm", pass[K, V])
	}
	return out
}

// operator adds a node that keeps the types.
func (s KStream[K, V]) operator(kind string, build func(topology.Runtime, *topology.Node, next[K, V]) next[K, V]) KStream[K, V] {
	s.node = operator(s, kind, build)
	return s
}

// operator adds a stateless node below s.
func operator[K, V, K2, V2 any](s KStream[K, V], kind string, build func(topology.Runtime, *topology.Node, next[K2, V2]) next[K, V]) *topology.Node {
	n := &topology.Node{Name: s.b.number(kind), Kind: topology.Operator}
	n.Build = func(rt topology.Runtime, children []any) any {
		return build(rt, n, fanout[K2, V2](children))
	}
	return s.b.add(n, s.node)
}

// pass is an operator that changes nothing.
func pass[K, V any](_ topology.Runtime, _ *topology.Node, next next[K, V]) next[K, V] { return next }
