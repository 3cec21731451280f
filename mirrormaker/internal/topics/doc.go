// Package topics decides which topics a flow copies, what they are called at
// the target and which of their configs travel with them. All of it is pure:
// names, patterns and configs in, decisions out.
//
// A [Selector] applies the include and exclude patterns (anchored RE2) and
// never selects what belongs to a cluster itself. A [Namer] maps a source
// topic to its name at the target. [Cycle] follows a topic through a set of
// flows and finds the one that would bring it back to where it came from; it
// goes by cluster id, because two profile names may be one cluster
// (KAFKA-9914).
package topics
