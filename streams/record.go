package streams

import (
	"fmt"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
)

// Header is a record header.
type Header = topology.Header

// Record is one record of a stream.
type Record[K, V any] struct {
	Key   K
	Value V
	// Timestamp is the event time, in UTC with millisecond precision. It is
	// the source's (see [Serdes.EventTime]) and travels into everything that
	// comes of the record.
	Timestamp time.Time
	// Headers travel with the record into outputs and repartition topics.
	Headers []Header
	// NullKey and NullValue tell that the record has none; Key or Value is
	// then the type's zero value.
	NullKey, NullValue bool
}

// Change is what happened to one key of a table.
type Change[V any] struct {
	Old, New V
	// HasOld and HasNew tell whether there was a value before and is one
	// after: neither false at the same time.
	HasOld, HasNew bool
}

// Serdes are the serdes of a topic's keys and values.
type Serdes[K, V any] struct {
	key       serde.Serde[K]
	value     serde.Serde[V]
	eventTime func(K, V) (time.Time, error)
}

// With names the serdes of a topic's keys and values.
func With[K, V any](key serde.Serde[K], value serde.Serde[V]) Serdes[K, V] {
	return Serdes[K, V]{key: key, value: value}
}

// EventTime makes f say when a record happened, instead of the timestamp it
// has in its topic. A record for which f fails, or which it puts before 1970,
// is treated like one that does not decode. f is not called for a null value,
// whose record keeps its timestamp.
//
// Event time is set at the source, and only there: all that comes of the
// record has it too, in outputs, changelogs and repartition topics.
func (s Serdes[K, V]) EventTime(f func(K, V) (time.Time, error)) Serdes[K, V] {
	s.eventTime = f
	return s
}

// Encode gives the bytes of a record's key and value for the topic; nil for a
// null.
func (s Serdes[K, V]) Encode(topic string, r Record[K, V]) (key, value []byte, err error) {
	if !r.NullKey {
		if key, err = s.key.Encode(topic, r.Key); err != nil {
			return nil, nil, fmt.Errorf("key for topic %s: %w", topic, err)
		}
	}
	switch {
	case r.NullValue:
	case s.value == nil:
		value = []byte{} // of a count's repartition: only that there is one matters
	default:
		if value, err = s.value.Encode(topic, r.Value); err != nil {
			return nil, nil, fmt.Errorf("value for topic %s: %w", topic, err)
		}
	}
	return key, value, nil
}

// Decode makes a record of one that was read. Its timestamp is that of
// EventTime, if there is one.
func (s Serdes[K, V]) Decode(raw *Raw) (Record[K, V], error) {
	r := Record[K, V]{
		Timestamp: time.UnixMilli(raw.Timestamp).UTC(),
		Headers:   raw.Headers,
		NullKey:   raw.Key == nil,
		NullValue: raw.Value == nil,
	}
	var err error
	if !r.NullKey {
		if r.Key, err = s.key.Decode(raw.Topic, raw.Key); err != nil {
			return r, fmt.Errorf("key: %w", err)
		}
	}
	if !r.NullValue && s.value != nil {
		if r.Value, err = s.value.Decode(raw.Topic, raw.Value); err != nil {
			return r, fmt.Errorf("value: %w", err)
		}
	}
	if s.eventTime == nil || r.NullValue {
		return r, nil
	}
	at, err := s.eventTime(r.Key, r.Value)
	if err != nil {
		return r, fmt.Errorf("event time: %w", err)
	}
	r.Timestamp = time.UnixMilli(at.UnixMilli()).UTC()
	return r, nil
}

// next is where a node sends its results.
type next[K, V any] = func(Record[K, V]) error

// fanout joins the functions of all children into one.
func fanout[K, V any](children []any) next[K, V] {
	switch len(children) {
	case 0:
		return func(Record[K, V]) error { return nil }
	case 1:
		return children[0].(next[K, V])
	}
	all := make([]next[K, V], len(children))
	for i, child := range children {
		all[i] = child.(next[K, V])
	}
	return func(r Record[K, V]) error {
		for _, f := range all {
			if err := f(r); err != nil {
				return err
			}
		}
		return nil
	}
}
