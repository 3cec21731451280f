package topology

import "fmt"

// Stage is where a record met its fault.
type Stage uint8

// The stages of a record's way.
const (
	// Deserialization is the decoding of key and value, and the event time.
	Deserialization Stage = iota
	// Processing is everything after it, up to encoding the results.
	Processing
)

func (s Stage) String() string {
	switch s {
	case Deserialization:
		return "deserialization"
	case Processing:
		return "processing"
	default:
		return fmt.Sprintf("stage %d", uint8(s))
	}
}

// Action is what becomes of a record that met a fault.
type Action uint8

// The actions a handler can choose.
const (
	// Fail stops the application with the fault as its error.
	Fail Action = iota
	// Continue goes on with the next record.
	Continue
	// DeadLetter writes the record to the dead letters and goes on.
	DeadLetter
)

func (a Action) String() string {
	switch a {
	case Fail:
		return "fail"
	case Continue:
		return "continue"
	case DeadLetter:
		return "dead letter"
	default:
		return fmt.Sprintf("action %d", uint8(a))
	}
}

// Fault is a record that cannot be processed, and why. It is an error.
type Fault struct {
	Stage Stage
	// Node is where it happened.
	Node string
	// Record is the input record as it was read.
	Record Raw
	// Err is the cause.
	Err error
}

func (f *Fault) Error() string {
	return fmt.Sprintf("topic %s partition %d offset %d, node %s: %s: %v",
		f.Record.Topic, f.Record.Partition, f.Record.Offset, f.Node, f.Stage, f.Err)
}

func (f *Fault) Unwrap() error { return f.Err }

// Panic is the cause of a fault when a user's function panicked.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }
