// Package worker runs connectors. One worker per process; groups of workers
// come later, and what is stored is Kafka Connect's already, so a Java
// cluster's topics can be taken over once its workers are stopped.
//
//	REST ─ Worker.Put ─ config topic ─ tail ─ configState.apply ─ keeper ─┐
//	                                                                       │ one goroutine per connector
//	  task goroutines ─ supervise ─ sourceTask / sinkTask ◄────────────────┘
//
// # Stored
//
// The config topic holds connector-<name>, task-<name>-<i>, commit-<name> and
// target-state-<name>; the offset topic ["<connector>",{partition}] with the
// offset as its value. Both are compacted and written by an idempotent
// producer. A write is answered once the worker has read it back, so what it
// acts on is what the topic holds. Status is kept in memory and derived from
// what runs.
//
// # Guarantees
//
// Sources: at least once. The offset record of a source partition is written
// after every record up to it is acked by the broker: the contiguous prefix,
// not the maximum. Then SourceTask.Committed is called, never before.
//
// Sinks: at least once. The consumer group connect-<name> gets the offsets
// that Flush reported as durable. Partitions that are taken away are flushed
// and committed first; partitions that are lost are not.
//
// A task that fails starts again after a delay that doubles, with jitter. An
// invalid configuration and a permanent error stay FAILED.
//
// # Without a config topic
//
// With Config.Connectors set the worker runs those connectors only: `connect
// run FILE`. Source offsets are kept in the offset topic all the same.
package worker
