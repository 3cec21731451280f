package streams

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/millrace-io/millrace/streams/internal/topology"
)

// Topology is a checked topology: what runs where. Its String and Mermaid
// methods describe it.
type Topology = topology.Topology

// Builder collects the nodes of an application. It is used by one goroutine,
// and its faults are reported together, by Topology and by [New].
type Builder struct {
	nodes   []*topology.Node
	numbers map[string]int
	sources map[string]sourceEntry
	errs    []error
}

// sourceEntry remembers how a topic is read, since each is read once.
type sourceEntry struct {
	stream any // KStream[K, V]
	serdes string
}

// NewBuilder begins a topology.
func NewBuilder() *Builder {
	return &Builder{numbers: map[string]int{}, sources: map[string]sourceEntry{}}
}

// Topology checks what was built and gives it in parts. The error joins every
// fault. Changing what it returns is not allowed.
func (b *Builder) Topology() (*Topology, error) {
	t, err := topology.New(b.nodes)
	if err := errors.Join(append([]error{err}, b.errs...)...); err != nil {
		return nil, err
	}
	return t, nil
}

// add appends a node below its parents.
func (b *Builder) add(n *topology.Node, parents ...*topology.Node) *topology.Node {
	for _, p := range parents {
		p.Children = append(p.Children, n)
	}
	b.nodes = append(b.nodes, n)
	return n
}

// number makes a name for a node whose name means nothing outside the process.
func (b *Builder) number(kind string) string {
	b.numbers[kind]++
	return fmt.Sprintf("%s-%d", kind, b.numbers[kind])
}

func (b *Builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// checkSerde reports a serde that cannot work, if it can tell so.
func (b *Builder) checkSerde(where string, s any) {
	if c, ok := s.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			b.fail("%s: %w", where, err)
		}
	}
}

// describe names serdes by their types: two of one type read the same bytes.
func (s Serdes[K, V]) describe() string {
	text := fmt.Sprintf("keys by %v, values by %v", reflect.TypeOf(s.key), reflect.TypeOf(s.value))
	if s.eventTime != nil {
		text += ", event time by a function"
	}
	return text
}
