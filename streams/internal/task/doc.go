// Package task runs one subtopology on one partition.
//
// A [Task] is a pure core: no goroutine, no lock, no clock, no socket. Its
// shells are the worker, which has a Kafka behind it, and the test driver,
// which has not. They feed it and take from it:
//
//	Add ─► one queue per input ─ Step: the lowest event time first ─► nodes ─┬─► Output
//	                                                                          └─► stores (overlay)
//	Changelog ─► Output        what the overlay holds, one record per key
//	Offsets                    what may be committed once Output has acked
//	Committed ─► database      the overlay, as one batch with the changelog positions
//
// The order of a commit at least once: Changelog, all of Output acked, Offsets
// committed, Committed. A crash between any two of them loses nothing: the
// inputs are read again from the committed offsets.
//
// # Which record is next
//
// The one with the lowest event time over all inputs (KIP-695). An input
// without buffered records is waited for while the broker is known to have
// more of it, and MaxIdle longer when it is caught up.
package task
