package streams

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
	"github.com/millrace-io/millrace/streams/state"
)

// Count counts the records of each key in the store of that name. Records with
// a null key or a null value are dropped and counted as such.
func (g KGrouped[K, V]) Count(store string) KTable[K, int64] {
	return aggregated(g.partitioned(store, false), store, serde.Int64(), count[K, V])
}

// Reduce combines the values of each key. The first value of a key stands for
// itself.
func (g KGrouped[K, V]) Reduce(store string, combine func(V, V) V) KTable[K, V] {
	s := g.partitioned(store, true)
	return aggregated(s, store, s.value, reduce[K](combine))
}

// Aggregate combines the values of each key into a value of another type.
func Aggregate[K, V, A any](g KGrouped[K, V], store string, begin func() A, add func(A, K, V) A, value serde.Serde[A]) KTable[K, A] {
	return aggregated(g.partitioned(store, true), store, value, aggregateStep(begin, add))
}

// step computes the new aggregate from the old one, if there is one.
type step[K, V, A any] func(old A, has bool, k K, v V) A

func count[K, V any](old int64, _ bool, _ K, _ V) int64 { return old + 1 }

func reduce[K, V any](combine func(V, V) V) step[K, V, V] {
	return func(old V, has bool, _ K, v V) V {
		if !has {
			return v
		}
		return combine(old, v)
	}
}

func aggregateStep[K, V, A any](begin func() A, add func(A, K, V) A) step[K, V, A] {
	return func(old A, has bool, k K, v V) A {
		if !has {
			old = begin()
		}
		return add(old, k, v)
	}
}

// aggregated adds the node that keeps one aggregate per key.
func aggregated[K, V, A any](s KStream[K, V], name string, value serde.Serde[A], add step[K, V, A]) KTable[K, A] {
	s.b.checkSerde("store "+name+": values", value)
	if value == nil {
		s.b.fail("store %q: no serde for its values; name it with KStream.With", name)
	}
	n := &topology.Node{Name: name, Kind: topology.Processor, Store: &topology.Store{Name: name}}
	n.Build = func(rt topology.Runtime, children []any) any {
		a := &aggregator[K, V, A]{
			rt: rt, node: n, add: add, next: fanout[K, Change[A]](children),
			cell: newCell(rt, n, value), key: s.key,
		}
		return next[K, V](a.process)
	}
	return KTable[K, A]{b: s.b, node: s.b.add(n, s.node), key: s.key, store: StoreRef[K, A]{name: name, key: s.key, value: value}}
}

// aggregator is an aggregation's part of a task.
type aggregator[K, V, A any] struct {
	rt   topology.Runtime
	node *topology.Node
	add  step[K, V, A]
	next next[K, Change[A]]
	key  serde.Serde[K]
	cell cell[A]
}

func (a *aggregator[K, V, A]) process(r Record[K, V]) error {
	a.rt.Enter(a.node)
	if !countable(a.rt, a.node, r) {
		return nil
	}
	key, err := a.key.Encode(a.cell.topic, r.Key)
	if err != nil {
		return a.rt.Fault(a.node, fmt.Errorf("key for store %s: %w", a.node.Store.Name, err))
	}
	change, at, err := update(&a.cell, key, r, a.add)
	if err != nil {
		return a.cell.fault(err)
	}
	return a.next(Record[K, Change[A]]{Key: r.Key, Value: change, Timestamp: at, Headers: r.Headers})
}

// countable tells whether a record takes part in an aggregation at all.
func countable[K, V any](rt topology.Runtime, n *topology.Node, r Record[K, V]) bool {
	if r.NullKey {
		rt.Dropped(n, topology.NullKey)
		return false
	}
	if r.NullValue {
		rt.Dropped(n, topology.NullValue)
		return false
	}
	return true
}

// update runs one step on the aggregate under key. The result is as old as the
// newest record in it.
func update[K, V, A any](c *cell[A], key []byte, r Record[K, V], add step[K, V, A]) (Change[A], time.Time, error) {
	var change Change[A]
	old, ts, has, err := c.get(key)
	if err != nil {
		return change, time.Time{}, err
	}
	change = Change[A]{Old: old, HasOld: has, New: add(old, has, r.Key, r.Value), HasNew: true}
	at := r.Timestamp.UnixMilli()
	if has {
		at = max(at, ts)
	}
	return change, time.UnixMilli(at).UTC(), c.put(key, change.New, at)
}

// cell is a store with the serde of its values.
type cell[A any] struct {
	rt    topology.Runtime
	node  *topology.Node
	store *state.Store
	value serde.Serde[A]
	topic string // the changelog, which serdes are told
}

func newCell[A any](rt topology.Runtime, n *topology.Node, value serde.Serde[A]) cell[A] {
	return cell[A]{rt: rt, node: n, store: rt.Store(n), value: value, topic: rt.Topic(n.Store.Changelog())}
}

// encodeError marks an error of a serde, which is a fault of the record; others
// are faults of the store, and the task cannot go on.
type encodeError struct{ err error }

func (e *encodeError) Error() string { return e.err.Error() }
func (e *encodeError) Unwrap() error { return e.err }

func (c *cell[A]) get(key []byte) (v A, ts int64, ok bool, err error) {
	b, ts, ok, err := c.store.Get(key)
	if err != nil || !ok {
		return v, 0, false, err
	}
	if v, err = c.value.Decode(c.topic, b); err != nil {
		return v, 0, false, &encodeError{fmt.Errorf("value in store %s: %w", c.store.Name(), err)}
	}
	return v, ts, true, nil
}

func (c *cell[A]) put(key []byte, v A, ts int64) error {
	b, err := c.value.Encode(c.topic, v)
	if err != nil {
		return &encodeError{fmt.Errorf("value for store %s: %w", c.store.Name(), err)}
	}
	c.store.Put(key, b, ts)
	return nil
}

// fault passes a serde's error to the handler and any other to the task.
func (c *cell[A]) fault(err error) error {
	if e, ok := err.(*encodeError); ok { //nolint:errorlint // one of this package, never wrapped
		return c.rt.Fault(c.node, e.err)
	}
	return err
}
