package streams

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
)

// CountWindowed counts the records of each key and window.
func CountWindowed[K, V any](g KGrouped[K, V], w Windows, store string) KTable[Windowed[K], int64] {
	return windowed(g.partitioned(store, false), w, store, serde.Int64(), count[K, V])
}

// ReduceWindowed combines the values of each key and window.
func ReduceWindowed[K, V any](g KGrouped[K, V], w Windows, store string, combine func(V, V) V) KTable[Windowed[K], V] {
	s := g.partitioned(store, true)
	return windowed(s, w, store, s.value, reduce[K](combine))
}

// AggregateWindowed combines the values of each key and window into a value of
// another type.
func AggregateWindowed[K, V, A any](g KGrouped[K, V], w Windows, store string, begin func() A, add func(A, K, V) A, value serde.Serde[A]) KTable[Windowed[K], A] {
	return windowed(g.partitioned(store, true), w, store, value, aggregateStep(begin, add))
}

// windowed adds the node that keeps one aggregate per key and window.
func windowed[K, V, A any](s KStream[K, V], w Windows, name string, value serde.Serde[A], add step[K, V, A]) KTable[Windowed[K], A] {
	if err := w.check(); err != nil {
		s.b.fail("store %q: %w", name, err)
	}
	s.b.checkSerde("store "+name+": values", value)
	if value == nil {
		s.b.fail("store %q: no serde for its values; name it with KStream.With", name)
	}
	n := &topology.Node{Name: name, Kind: topology.Processor, Store: &topology.Store{Name: name, Retention: w.size + w.grace}}
	n.Build = func(rt topology.Runtime, children []any) any {
		a := &windowAggregator[K, V, A]{
			rt: rt, node: n, add: add, next: fanout[Windowed[K], Change[A]](children),
			cell: newCell(rt, n, value), key: s.key,
			windows: w, size: w.size.Milliseconds(), advance: w.advance.Milliseconds(), grace: w.grace.Milliseconds(),
			closed: -1,
		}
		return next[K, V](a.process)
	}
	return KTable[Windowed[K], A]{
		b:     s.b,
		node:  s.b.add(n, s.node),
		key:   windowedKey[K]{s.key, w.size},
		store: StoreRef[Windowed[K], A]{name: name, key: storeKey[K]{windowedKey[K]{s.key, w.size}}, value: value},
	}
}

// windowAggregator is a windowed aggregation's part of a task. Its store has
// the window's start before the key, so that the windows that close together
// lie together.
type windowAggregator[K, V, A any] struct {
	rt                   topology.Runtime
	node                 *topology.Node
	add                  step[K, V, A]
	next                 next[Windowed[K], Change[A]]
	key                  serde.Serde[K]
	cell                 cell[A]
	windows              Windows
	size, advance, grace int64  // milliseconds
	closed               int64  // all windows that start below it are closed and gone
	scratch              []byte // of keys
}

func (a *windowAggregator[K, V, A]) process(r Record[K, V]) error {
	a.rt.Enter(a.node)
	if !countable(a.rt, a.node, r) {
		return nil
	}
	key, err := a.key.Encode(a.cell.topic, r.Key)
	if err != nil {
		return a.rt.Fault(a.node, fmt.Errorf("key for store %s: %w", a.node.Store.Name, err))
	}
	if err := a.close(); err != nil {
		return err
	}
	at := r.Timestamp.UnixMilli()
	last := at - at%a.advance
	for start := last; start > at-a.size && start >= 0; start -= a.advance {
		if err := a.update(r, key, start); err != nil {
			return err
		}
	}
	return nil
}

func (a *windowAggregator[K, V, A]) update(r Record[K, V], key []byte, start int64) error {
	if by := a.rt.StreamTime() - (start + a.size + a.grace); by >= 0 {
		a.rt.Late(a.node, by)
		return nil
	}
	a.scratch = append(binary.BigEndian.AppendUint64(a.scratch[:0], uint64(start)), key...)
	change, at, err := update(&a.cell, a.scratch, r, a.add)
	if err != nil {
		return a.cell.fault(err)
	}
	if a.windows.final {
		return nil
	}
	a.rt.Enter(a.node)
	return a.next(Record[Windowed[K], Change[A]]{Key: window(r.Key, start, a.windows.size), Value: change, Timestamp: at, Headers: r.Headers})
}

// close removes the windows that stream time has closed, and gives their
// results if they were held back. It does something once per advance.
func (a *windowAggregator[K, V, A]) close() error {
	horizon := a.rt.StreamTime() - a.size - a.grace // windows starting here or before are closed
	if horizon < 0 {
		return nil
	}
	open := horizon - horizon%a.advance + a.advance // the first window that is not
	if open <= a.closed {
		return nil
	}
	a.closed = open
	hi := binary.BigEndian.AppendUint64(nil, uint64(open))
	if !a.windows.final {
		return a.cell.store.Expire(nil, hi)
	}
	return a.cell.store.Scan(nil, hi, func(stored, value []byte, ts int64) error {
		if err := a.final(stored, value, ts); err != nil {
			return err
		}
		a.cell.store.Delete(stored, ts)
		return nil
	})
}

// final gives the result of a window that has closed.
func (a *windowAggregator[K, V, A]) final(stored, value []byte, ts int64) error {
	w, err := storeKey[K]{windowedKey[K]{a.key, a.windows.size}}.Decode(a.cell.topic, stored)
	if err != nil {
		return a.rt.Fault(a.node, fmt.Errorf("key in store %s: %w", a.node.Store.Name, err))
	}
	result, err := a.cell.value.Decode(a.cell.topic, value)
	if err != nil {
		return a.rt.Fault(a.node, fmt.Errorf("value in store %s: %w", a.node.Store.Name, err))
	}
	return a.next(Record[Windowed[K], Change[A]]{
		Key:       w,
		Value:     Change[A]{New: result, HasNew: true},
		Timestamp: time.UnixMilli(ts).UTC(),
	})
}

// storeKey is a windowed key with the start first, as stores have it.
type storeKey[K any] struct{ windowedKey[K] }

// Encode implements serde.Serde.
func (s storeKey[K]) Encode(topic string, w Windowed[K]) ([]byte, error) {
	b, err := s.inner.Encode(topic, w.Key)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(b)), uint64(w.Start.UnixMilli())), b...), nil
}

// Decode implements serde.Serde.
func (s storeKey[K]) Decode(topic string, b []byte) (Windowed[K], error) {
	if len(b) < 8 {
		return Windowed[K]{}, errShortWindow
	}
	key, err := s.inner.Decode(topic, b[8:])
	if err != nil {
		return Windowed[K]{}, err
	}
	return window(key, int64(binary.BigEndian.Uint64(b)), s.size), nil
}
