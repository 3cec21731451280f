package topology

import (
	"fmt"

	"github.com/millrace-io/millrace/streams/state"
)

// Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// Raw is a record as it was read. Key and Value are nil when null.
type Raw struct {
	Topic      string
	Partition  int32
	Offset     int64
	Timestamp  int64 // milliseconds
	Key, Value []byte
	Headers    []Header
}

// Outgoing is a record to be written.
type Outgoing struct {
	Topic      string
	Partition  int32 // AnyPartition: by key
	Timestamp  int64 // event time, milliseconds
	Key, Value []byte
	Headers    []Header
}

// AnyPartition leaves the choice to the key, as Kafka's own clients do it.
const AnyPartition int32 = -1

// SourceTask is a source's part of a task: it holds one decoded record, the
// head of its input.
type SourceTask interface {
	// Load decodes the record and gives its event time in milliseconds.
	Load(*Raw) (int64, error)
	// Process sends the loaded record to the children.
	Process() error
}

// Runtime is what a node sees of its task.
type Runtime interface {
	// Topic is the name in the cluster.
	Topic(Topic) string
	// Store is the store of a node that declared it.
	Store(*Node) *state.Store
	// Enter notes the node whose code runs, for errors and panics.
	Enter(*Node)
	// Emit writes a record. It does not wait for it.
	Emit(Outgoing) error
	// StreamTime is the highest event time that the task has processed.
	StreamTime() int64
	// Fault reports that the record being processed cannot be; nil means to
	// go on without it.
	Fault(*Node, error) error
	// Dropped counts a record that has no place in the node.
	Dropped(*Node, Reason)
	// Late counts a record whose window closed that many milliseconds ago.
	Late(n *Node, by int64)
}

// Reason is why a record was dropped.
type Reason uint8

// The reasons for which a record has no place in a node.
const (
	NullKey Reason = iota
	NullValue
)

func (r Reason) String() string {
	switch r {
	case NullKey:
		return "null_key"
	case NullValue:
		return "null_value"
	default:
		return fmt.Sprintf("reason %d", uint8(r))
	}
}
