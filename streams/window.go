package streams

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/streams/serde"
)

// Windows cut event time into windows [start, start+size), aligned to 1970.
//
// A window closes when stream time (the highest event time that the task has
// processed) passes its end plus the grace. A record for a closed window is
// late: dropped, counted, and warned about once per node.
//
// Behind a repartition topic records of different upstream tasks are mixed in
// one partition, in the order of their arrival, so they can be out of order by
// as much as the upstream tasks are apart. A replay of old input therefore
// wants a grace as long as the span of the input, and [Config.Replay].
type Windows struct {
	size, advance, grace time.Duration
	final                bool
}

// Tumbling are windows of that size, one after the other.
func Tumbling(size time.Duration) Windows { return Windows{size: size, advance: size} }

// Hopping are overlapping windows of that size, one beginning every advance.
func Hopping(size, advance time.Duration) Windows { return Windows{size: size, advance: advance} }

// Grace keeps windows open for that long after their end, for records that
// are out of order. Without it a window closes at its end.
func (w Windows) Grace(d time.Duration) Windows {
	w.grace = d
	return w
}

// EmitFinal gives one result per window and key, when the window closes,
// instead of one per update. Stream time decides, never the clock: the last
// window closes when a later record comes.
func (w Windows) EmitFinal() Windows {
	w.final = true
	return w
}

func (w Windows) check() error {
	switch {
	case w.size < time.Millisecond || w.size%time.Millisecond != 0:
		return fmt.Errorf("window size %v: need whole milliseconds, at least one", w.size)
	case w.advance < time.Millisecond || w.advance%time.Millisecond != 0 || w.advance > w.size:
		return fmt.Errorf("window advance %v: need whole milliseconds, at least one and at most the size %v", w.advance, w.size)
	case w.grace < 0:
		return fmt.Errorf("grace %v: must not be negative", w.grace)
	default:
		return nil
	}
}

// Windowed is a key in one window.
type Windowed[K any] struct {
	Key        K
	Start, End time.Time
}

// errShortWindow is returned for bytes too short to hold a window's start.
var errShortWindow = errors.New("windowed key: fewer than 8 bytes")

type windowedKey[K any] struct {
	inner serde.Serde[K]
	size  time.Duration
}

// WindowedKey is the serde of windowed keys in Kafka's format: the key's bytes
// and then the window's start, eight bytes of milliseconds. The size is not in
// the format and must be known.
func WindowedKey[K any](inner serde.Serde[K], size time.Duration) serde.Serde[Windowed[K]] {
	return windowedKey[K]{inner, size}
}

// Encode implements serde.Serde.
func (s windowedKey[K]) Encode(topic string, w Windowed[K]) ([]byte, error) {
	b, err := s.inner.Encode(topic, w.Key)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(b, uint64(w.Start.UnixMilli())), nil
}

// Decode implements serde.Serde.
func (s windowedKey[K]) Decode(topic string, b []byte) (Windowed[K], error) {
	if len(b) < 8 {
		return Windowed[K]{}, errShortWindow
	}
	key, err := s.inner.Decode(topic, b[:len(b)-8])
	if err != nil {
		return Windowed[K]{}, err
	}
	return window(key, int64(binary.BigEndian.Uint64(b[len(b)-8:])), s.size), nil
}

func window[K any](key K, start int64, size time.Duration) Windowed[K] {
	at := time.UnixMilli(start).UTC()
	return Windowed[K]{Key: key, Start: at, End: at.Add(size)}
}
