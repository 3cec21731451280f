// Package topology is the graph of an application, without its types.
//
// The builder of package streams makes [Node]s; [New] checks them, all faults
// at once, and cuts them into subtopologies: the parts that are connected
// directly. A repartition topic connects two of them, its sink in one and its
// source in the other:
//
//	subtopology 0                          subtopology 1
//	source lines ─ flat-map ─ sink counts-repartition │ source counts-repartition ─ count ─ sink counts
//
// A task is one subtopology and one partition. For it every node is built
// once, children first: Build gets what the children's Build gave and returns
// its own part, a typed function that a parent calls. So a record passes
// through the graph by plain calls, with neither boxing nor reflection.
//
// What a node may ask of its task while it runs is [Runtime].
package topology
