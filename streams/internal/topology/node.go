package topology

import (
	"fmt"
	"time"
)

// Kind is what a node does.
type Kind uint8

// The kinds of nodes.
const (
	Source    Kind = iota // reads a topic
	Operator              // keeps nothing
	Processor             // has a store
	Sink                  // writes a topic
)

func (k Kind) String() string {
	switch k {
	case Source:
		return "source"
	case Operator:
		return "operator"
	case Processor:
		return "processor"
	case Sink:
		return "sink"
	default:
		return fmt.Sprintf("kind %d", uint8(k))
	}
}

// Node is one step of the topology.
type Node struct {
	// Name is unique in the topology.
	Name string
	Kind Kind
	// Topic is what a source reads or a sink writes.
	Topic Topic
	// Store is what a processor keeps; nil for the others.
	Store *Store
	// Children take what the node gives.
	Children []*Node
	// Build makes the node's part of one task. children holds what Build of
	// Children gave, in their order. A source's part is a SourceTask; that
	// of any other node is a func that its parents know.
	Build func(rt Runtime, children []any) any
}

// Topic names a topic. The name of an internal one is a suffix: the
// application's id comes before it.
type Topic struct {
	Name     string
	Internal bool
}

// Full is the topic's name in the cluster.
func (t Topic) Full(appID string) string {
	if t.Internal {
		return appID + "-" + t.Name
	}
	return t.Name
}

// Store is a store that the topology declares.
type Store struct {
	Name string
	// Retention is how long after its event time an entry may still matter,
	// for a windowed store; zero for a plain one, which keeps all.
	Retention time.Duration
}

// Changelog is the topic that a store can be rebuilt from.
func (s *Store) Changelog() Topic { return Topic{Name: s.Name + "-changelog", Internal: true} }

// Repartition is the topic that brings records to the partitions of their new
// keys, for the node of that name.
func Repartition(name string) Topic { return Topic{Name: name + "-repartition", Internal: true} }
