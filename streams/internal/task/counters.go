package task

import (
	"maps"
	"sync"
	"time"

	"github.com/millrace-io/millrace/streams/internal/topology"
)

// Counters count what did not become a result, by node. All tasks of an
// application share one; its methods are safe for concurrent use.
type Counters struct {
	mu    sync.Mutex
	nodes map[string]*NodeCounters
}

// NodeCounters are the counts of one node.
type NodeCounters struct {
	NullKeys    int64
	NullValues  int64
	Late        int64
	MaxLateness time.Duration
	DeadLetters int64
	Skipped     int64 // faults that the handler passed over
}

// Snapshot gives the counts of the nodes that have any.
func (c *Counters) Snapshot() map[string]NodeCounters {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]NodeCounters, len(c.nodes))
	for name, n := range maps.All(c.nodes) {
		out[name] = *n
	}
	return out
}

// node wants mu held.
func (c *Counters) node(name string) *NodeCounters {
	n := c.nodes[name]
	if n == nil {
		n = new(NodeCounters)
		if c.nodes == nil {
			c.nodes = map[string]*NodeCounters{}
		}
		c.nodes[name] = n
	}
	return n
}

func (c *Counters) drop(name string, reason topology.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch reason {
	case topology.NullKey:
		c.node(name).NullKeys++
	case topology.NullValue:
		c.node(name).NullValues++
	}
}

// late tells whether it was the node's first.
func (c *Counters) late(name string, by time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.node(name)
	n.Late++
	n.MaxLateness = max(n.MaxLateness, by)
	return n.Late == 1
}

func (c *Counters) fault(name string, action topology.Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch action {
	case topology.Continue:
		c.node(name).Skipped++
	case topology.DeadLetter:
		c.node(name).DeadLetters++
	case topology.Fail:
	}
}
