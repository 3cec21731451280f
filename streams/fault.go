package streams

import (
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
)

// Fault is a record that cannot be processed, and why. As an error it names
// topic, partition, offset and node.
type Fault = topology.Fault

// Raw is a record as it was read, as a [Fault] shows it.
type Raw = topology.Raw

// Panic is the cause of a fault when a function of the user panicked.
type Panic = topology.Panic

// Stage is where a record met its fault.
type Stage = topology.Stage

// The stages of a record's way.
const (
	Deserialization = topology.Deserialization
	Processing      = topology.Processing
)

// Action is what becomes of a record that met a fault.
type Action = topology.Action

// The actions that a [Handler] can choose.
const (
	Fail       = topology.Fail
	Continue   = topology.Continue
	DeadLetter = topology.DeadLetter
)

// Handler decides what becomes of a record that cannot be processed. It is
// called by several goroutines.
type Handler func(*Fault) Action

// Always is a handler that always decides the same.
func Always(a Action) Handler { return func(*Fault) Action { return a } }

// NodeCounters count what did not become a result, of one node.
type NodeCounters = task.NodeCounters
