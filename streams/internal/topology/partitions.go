package topology

import "fmt"

// Partitions works out how many tasks each subtopology has, from the partition
// counts of the inputs, and so how many partitions each internal topic needs:
// a repartition topic as many as the largest input of the subtopology that
// writes it, a changelog as many as its store has tasks. The keys of the
// second result are Topic.Name.
//
// The error names an input that has no count: it does not exist.
func (t *Topology) Partitions(inputs map[string]int32) (tasks []int32, internal map[string]int32, err error) {
	tasks = make([]int32, len(t.Subtopologies))
	internal = map[string]int32{}
	known := func(topic Topic) int32 {
		if topic.Internal {
			return internal[topic.Name]
		}
		return inputs[topic.Name]
	}
	for _, name := range t.Inputs() {
		if inputs[name] == 0 {
			return nil, nil, fmt.Errorf("input topic %s does not exist; create it before the application starts", name)
		}
	}
	// Counts flow from sources to sinks; with every round at least one more
	// subtopology is settled, loops through topics included.
	for range t.Subtopologies {
		for i, s := range t.Subtopologies {
			for _, n := range s.Sources() {
				tasks[i] = max(tasks[i], known(n.Topic))
			}
			for _, n := range s.Sinks() {
				if n.Topic.Internal {
					internal[n.Topic.Name] = max(internal[n.Topic.Name], tasks[i])
				}
			}
		}
	}
	for i, s := range t.Subtopologies {
		for _, store := range s.Stores() {
			internal[store.Changelog().Name] = tasks[i]
		}
	}
	return tasks, internal, nil
}
