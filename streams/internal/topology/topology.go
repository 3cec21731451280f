package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Topology is a checked graph, cut into subtopologies.
type Topology struct {
	Subtopologies []*Subtopology
}

// Subtopology is a part whose nodes are connected directly. Its number is its
// place in the topology, in the order of the sources' declaration.
type Subtopology struct {
	ID int
	// Nodes has parents before children.
	Nodes []*Node
}

// New checks the nodes, which have parents before children, and cuts the
// graph. The error joins every fault.
func New(nodes []*Node) (*Topology, error) {
	if errs := check(nodes); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	part := components(nodes)
	t := new(Topology)
	byRoot := map[*Node]*Subtopology{}
	for _, n := range nodes {
		root := part[n]
		sub := byRoot[root]
		if sub == nil {
			sub = &Subtopology{ID: len(t.Subtopologies)}
			byRoot[root] = sub
			t.Subtopologies = append(t.Subtopologies, sub)
		}
		sub.Nodes = append(sub.Nodes, n)
	}
	return t, nil
}

// check reports what makes the graph impossible to run.
func check(nodes []*Node) []error {
	var errs []error
	if len(nodes) == 0 {
		return []error{errors.New("the topology is empty: begin with streams.Stream or streams.Table")}
	}
	place := map[*Node]int{}
	names, stores := map[string]bool{}, map[string]bool{}
	for i, n := range nodes {
		place[n] = i
		if names[n.Name] && n.Store == nil {
			errs = append(errs, fmt.Errorf("node %q: the name is used twice", n.Name))
		}
		names[n.Name] = true
		if n.Store != nil {
			if stores[n.Store.Name] {
				errs = append(errs, fmt.Errorf("store %q: the name is used twice; its changelog would mix both", n.Store.Name))
			}
			stores[n.Store.Name] = true
			if err := validName(n.Store.Name); err != nil {
				errs = append(errs, fmt.Errorf("store %q: %w", n.Store.Name, err))
			}
		}
		if n.Kind == Source || n.Kind == Sink {
			if err := validName(n.Topic.Name); err != nil {
				errs = append(errs, fmt.Errorf("node %q: topic %q: %w", n.Name, n.Topic.Name, err))
			}
		}
	}
	for i, n := range nodes {
		for _, child := range n.Children {
			at, known := place[child]
			switch {
			case !known:
				errs = append(errs, fmt.Errorf("node %q: its child %q belongs to another builder", n.Name, child.Name))
			case at <= i:
				errs = append(errs, fmt.Errorf("node %q: cycle through %q; send the records through a topic instead", n.Name, child.Name))
			}
		}
	}
	return errs
}

// validName keeps Kafka's rules for topics, since names become parts of those.
func validName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return errors.New("not a possible name of a topic")
	case len(name) > 200:
		return errors.New("longer than 200 characters")
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r) {
			return fmt.Errorf("character %q is not among a-z A-Z 0-9 . _ -", r)
		}
	}
	return nil
}

// components gives each node the first node of its connected part.
func components(nodes []*Node) map[*Node]*Node {
	root := map[*Node]*Node{}
	place := map[*Node]int{}
	for i, n := range nodes {
		root[n], place[n] = n, i
	}
	find := func(n *Node) *Node {
		for root[n] != n {
			n = root[n]
		}
		return n
	}
	for _, n := range nodes {
		for _, child := range n.Children {
			a, b := find(n), find(child)
			if place[a] > place[b] {
				a, b = b, a
			}
			root[b] = a
		}
	}
	for _, n := range nodes {
		root[n] = find(n)
	}
	return root
}

// Sources are the nodes that read topics.
func (s *Subtopology) Sources() []*Node { return s.of(Source) }

// Sinks are the nodes that write topics.
func (s *Subtopology) Sinks() []*Node { return s.of(Sink) }

func (s *Subtopology) of(kind Kind) []*Node {
	var out []*Node
	for _, n := range s.Nodes {
		if n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// Stores are the stores of the subtopology's nodes.
func (s *Subtopology) Stores() []*Store {
	var out []*Store
	for _, n := range s.Nodes {
		if n.Store != nil {
			out = append(out, n.Store)
		}
	}
	return out
}

// Build makes every node's part of one task and gives those of the sources,
// in the order of Sources.
func (s *Subtopology) Build(rt Runtime) []SourceTask {
	built := map[*Node]any{}
	for _, n := range slices.Backward(s.Nodes) {
		children := make([]any, len(n.Children))
		for i, child := range n.Children {
			children[i] = built[child]
		}
		built[n] = n.Build(rt, children)
	}
	var out []SourceTask
	for _, n := range s.Sources() {
		out = append(out, built[n].(SourceTask))
	}
	return out
}

// Inputs are the topics that the application reads and does not write itself.
func (t *Topology) Inputs() []string {
	var out []string
	for _, s := range t.Subtopologies {
		for _, n := range s.Sources() {
			if !n.Topic.Internal {
				out = append(out, n.Topic.Name)
			}
		}
	}
	return out
}

// Stateful tells whether any node has a store.
func (t *Topology) Stateful() bool {
	return slices.ContainsFunc(t.Subtopologies, func(s *Subtopology) bool { return len(s.Stores()) > 0 })
}
