package streams

import (
	"fmt"

	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
)

// KTable is a table: the latest value of each key. It is a value that names a
// place in the topology.
type KTable[K, V any] struct {
	b     *Builder
	node  *topology.Node
	key   serde.Serde[K] // of topics; a windowed store orders its keys otherwise
	store StoreRef[K, V]
}

// StoreRef names a store, with the types of what is in it.
type StoreRef[K, V any] struct {
	name  string
	key   serde.Serde[K]
	value serde.Serde[V]
}

// Name is the store's name in the topology.
func (r StoreRef[K, V]) Name() string { return r.name }

// Lookup finds the value of a key by get, which finds bytes by bytes.
func (r StoreRef[K, V]) Lookup(k K, get func(key []byte) ([]byte, bool, error)) (v V, ok bool, err error) {
	key, err := r.key.Encode(r.name, k)
	if err != nil {
		return v, false, fmt.Errorf("store %s: key: %w", r.name, err)
	}
	b, ok, err := get(key)
	if err != nil || !ok {
		return v, false, err
	}
	if v, err = r.value.Decode(r.name, b); err != nil {
		return v, false, fmt.Errorf("store %s: value: %w", r.name, err)
	}
	return v, true, nil
}

// Table reads a topic as a table: a record replaces the value of its key, and
// a null value deletes it. Records without a key are dropped and counted. Its
// store has the topic's name.
func Table[K, V any](b *Builder, topic string, with Serdes[K, V]) KTable[K, V] {
	s := Stream(b, topic, with)
	n := &topology.Node{Name: topic, Kind: topology.Processor, Store: &topology.Store{Name: topic}}
	n.Build = func(rt topology.Runtime, children []any) any {
		t := &tabler[K, V]{rt: rt, node: n, key: with.key, cell: newCell(rt, n, with.value), next: fanout[K, Change[V]](children)}
		return next[K, V](t.process)
	}
	return KTable[K, V]{b: b, node: b.add(n, s.node), key: with.key, store: StoreRef[K, V]{name: topic, key: with.key, value: with.value}}
}

// tabler is a table source's part of a task.
type tabler[K, V any] struct {
	rt   topology.Runtime
	node *topology.Node
	key  serde.Serde[K]
	cell cell[V]
	next next[K, Change[V]]
}

func (t *tabler[K, V]) process(r Record[K, V]) error {
	t.rt.Enter(t.node)
	if r.NullKey {
		t.rt.Dropped(t.node, topology.NullKey)
		return nil
	}
	key, err := t.key.Encode(t.cell.topic, r.Key)
	if err != nil {
		return t.rt.Fault(t.node, fmt.Errorf("key for store %s: %w", t.node.Store.Name, err))
	}
	old, _, has, err := t.cell.get(key)
	if err != nil {
		return t.cell.fault(err)
	}
	change := Change[V]{Old: old, HasOld: has, New: r.Value, HasNew: !r.NullValue}
	if !change.HasOld && !change.HasNew {
		return nil
	}
	if r.NullValue {
		t.cell.store.Delete(key, r.Timestamp.UnixMilli())
	} else if err := t.cell.put(key, r.Value, r.Timestamp.UnixMilli()); err != nil {
		return t.cell.fault(err)
	}
	return t.next(Record[K, Change[V]]{Key: r.Key, Value: change, Timestamp: r.Timestamp, Headers: r.Headers})
}

// Store names the store behind the table.
func (t KTable[K, V]) Store() StoreRef[K, V] { return t.store }

// ToStream gives each change of the table as a record: the new value, or null
// when the key was deleted.
func (t KTable[K, V]) ToStream() KStream[K, V] {
	n := &topology.Node{Name: t.b.number("to-stream"), Kind: topology.Operator}
	n.Build = func(_ topology.Runtime, children []any) any {
		next := fanout[K, V](children)
		return func(r Record[K, Change[V]]) error {
			return next(Record[K, V]{Key: r.Key, Value: r.Value.New, Timestamp: r.Timestamp, Headers: r.Headers, NullValue: !r.Value.HasNew})
		}
	}
	return KStream[K, V]{b: t.b, node: t.b.add(n, t.node), key: t.key, value: t.store.value}
}

// Filter keeps the keys whose value meets the condition. A key whose value
// ceases to meet it is deleted from the result. The table's store stays the
// unfiltered one.
func (t KTable[K, V]) Filter(keep func(K, V) bool) KTable[K, V] {
	n := &topology.Node{Name: t.b.number("filter-table"), Kind: topology.Operator}
	n.Build = func(rt topology.Runtime, children []any) any {
		next := fanout[K, Change[V]](children)
		return func(r Record[K, Change[V]]) error {
			rt.Enter(n)
			r.Value.HasOld = r.Value.HasOld && keep(r.Key, r.Value.Old)
			r.Value.HasNew = r.Value.HasNew && keep(r.Key, r.Value.New)
			if !r.Value.HasOld && !r.Value.HasNew {
				return nil
			}
			return next(r)
		}
	}
	t.node = t.b.add(n, t.node)
	return t
}
