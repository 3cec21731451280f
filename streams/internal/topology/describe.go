package topology

import (
	"fmt"
	"strings"
)

// String describes the topology as text: subtopologies, their nodes, and where
// each node's records go.
func (t *Topology) String() string {
	var b strings.Builder
	for _, s := range t.Subtopologies {
		fmt.Fprintf(&b, "subtopology %d\n", s.ID)
		for _, n := range s.Nodes {
			fmt.Fprintf(&b, "  %s %s", n.Kind, n.Name)
			switch {
			case n.Kind == Source:
				fmt.Fprintf(&b, " <- topic %s", n.Topic.label())
			case n.Kind == Sink:
				fmt.Fprintf(&b, " -> topic %s", n.Topic.label())
			case n.Store != nil:
				fmt.Fprintf(&b, " [store %s]", n.Store.Name)
			}
			if len(n.Children) > 0 {
				names := make([]string, len(n.Children))
				for i, child := range n.Children {
					names[i] = child.Name
				}
				fmt.Fprintf(&b, " -> %s", strings.Join(names, ", "))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Mermaid describes the topology as a Mermaid flowchart.
func (t *Topology) Mermaid() string {
	var b strings.Builder
	ids := map[*Node]string{}
	topics := map[string]string{}
	topic := func(tp Topic) string {
		id, ok := topics[tp.label()]
		if !ok {
			id = fmt.Sprintf("t%d", len(topics))
			topics[tp.label()] = id
			fmt.Fprintf(&b, "  %s[(%s)]\n", id, tp.label())
		}
		return id
	}
	b.WriteString("flowchart LR\n")
	for _, s := range t.Subtopologies {
		fmt.Fprintf(&b, "  subgraph s%d[subtopology %d]\n", s.ID, s.ID)
		for _, n := range s.Nodes {
			ids[n] = fmt.Sprintf("n%d", len(ids))
			label := n.Name
			if n.Store != nil {
				label += "<br/>store " + n.Store.Name
			}
			fmt.Fprintf(&b, "    %s[\"%s\"]\n", ids[n], label)
		}
		b.WriteString("  end\n")
	}
	for _, s := range t.Subtopologies {
		for _, n := range s.Nodes {
			switch n.Kind {
			case Source:
				fmt.Fprintf(&b, "  %s --> %s\n", topic(n.Topic), ids[n])
			case Sink:
				fmt.Fprintf(&b, "  %s --> %s\n", ids[n], topic(n.Topic))
			case Operator, Processor:
			}
			for _, child := range n.Children {
				fmt.Fprintf(&b, "  %s --> %s\n", ids[n], ids[child])
			}
		}
	}
	return b.String()
}

func (t Topic) label() string {
	if t.Internal {
		return "<app>-" + t.Name
	}
	return t.Name
}
