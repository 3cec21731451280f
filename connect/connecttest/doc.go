// Package connecttest is the acceptance kit of connectors: what a plugin must
// do to be run by a worker, as tests that need no cluster.
//
//	func TestKit(t *testing.T) {
//		connecttest.Source(t, connecttest.SourceDriver{Plugin: mine.Source(), New: newSystem})
//	}
//
// A driver makes an empty outside system and puts values into it, or reads
// back what a sink wrote. The kit opens the plugin as a worker does, crashes
// it at every step, and counts what is lost and what is repeated:
//
//   - a source resumes behind exactly the record whose position was stored,
//     at every boundary; positions can be stored; a blocked Read ends within
//     a second of its context
//   - what a sink reported as flushed is there, whatever comes after; a
//     replay after a crash completes; tombstones are no error
//   - bad configurations are refused, and none of their secrets is shown
package connecttest
