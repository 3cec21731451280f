package connect

import (
	"errors"
	"fmt"
	"time"
)

// A Record travels between a connector and the converters.
type Record struct {
	Topic string
	// Partition is where a source wants the record; -1 lets the partitioner
	// choose.
	Partition int32
	// Offset is set for sinks only.
	Offset int64
	// Timestamp is the event's; zero means the time of producing.
	Timestamp  time.Time
	Key, Value Data
	Headers    []Header
	// Source says how far the source has got with this record; sources only.
	Source Position
}

// Data is a value with its schema, or bytes that no converter has opened. A
// nil Any with nil Raw is null.
//
// Without a schema Any is nil, a bool, int64, float64, string, []byte,
// time.Time, []any or map[string]any.
type Data struct {
	Schema *Schema
	Any    any
	Raw    []byte
}

// IsNull tells whether the data is null: for a value, a tombstone.
func (d Data) IsNull() bool { return d.Any == nil && d.Raw == nil }

// Text makes data of a string.
func Text(s string) Data { return Data{Schema: &Schema{Type: "string"}, Any: s} }

// Header is one header of a record. Keys may repeat.
type Header struct {
	Key   string
	Value Data
}

// Schema is the type of a value in Kafka Connect's terms. This slice of it
// carries what converters need to choose bytes; logical types keep Java's
// names.
type Schema struct {
	// Type is int8, int16, int32, int64, float32, float64, boolean, string,
	// bytes, array, map or struct.
	Type string
	// Name is the full name of a record or of a logical type, such as
	// org.apache.kafka.connect.data.Timestamp.
	Name     string
	Version  int
	Doc      string
	Optional bool
	// Definition is the text in the schema language that the value was
	// written with, such as Avro; empty when there was none.
	Definition string
}

// Position says which stream of the source a record came from and how far it
// got. Values are strings, bools, int64 and float64; a nil or empty Offset is
// refused.
type Position struct{ Partition, Offset map[string]any }

// ErrPosition is a position that cannot be stored.
var ErrPosition = errors.New("connect: bad source position")

// Validate refuses what could not be found again after a restart.
func (p Position) Validate() error {
	if len(p.Offset) == 0 {
		return fmt.Errorf("%w: empty offset for partition %v", ErrPosition, p.Partition)
	}
	for _, values := range []map[string]any{p.Partition, p.Offset} {
		for key, v := range values {
			switch v.(type) {
			case string, bool, int64, float64:
			default:
				return fmt.Errorf("%w: %s is a %T, need string, bool, int64 or float64", ErrPosition, key, v)
			}
		}
	}
	return nil
}

// TopicPartition names one partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Batch collects what one Read returns. It is bounded: a source stops adding
// when it is full and goes on at the next Read.
type Batch struct {
	// Records are what was added, in order.
	Records []Record

	bytes, maxRecords, maxBytes int
}

// NewBatch makes a batch with its bounds.
func NewBatch(maxRecords, maxBytes int) *Batch {
	return &Batch{maxRecords: maxRecords, maxBytes: maxBytes}
}

// Add appends a record; size is roughly its bytes, for the bound.
func (b *Batch) Add(r Record, size int) {
	b.Records = append(b.Records, r)
	b.bytes += size
}

// Full tells a source to return.
func (b *Batch) Full() bool { return len(b.Records) >= b.maxRecords || b.bytes >= b.maxBytes }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Records)
	b.Records, b.bytes = b.Records[:0], 0
}
