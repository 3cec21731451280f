// Package coordinator runs state machines on log partitions: consumer groups
// on those of __consumer_offsets.
//
//	api ── request ──▶ Groups ── event ──▶ Shard ──▶ group.State
//	                    │  ▲                │
//	                    │  └── turn.Turn ───┘  records and replies
//	                    ▼
//	                   Log  (a partition: append, wait, read)
//
// A [Shard] is pure. It holds the machines of one partition, hands each event
// to its machine, and says when it wants a tick. What it knows it knows from
// records: it is loaded by replaying the log.
//
// A [Runtime] is the shell, the same for every kind of machine. For each partition that this node leads it has a
// seat with a mutex over event and append, so records reach the log in the
// order in which they were decided. Replies that show offsets or assignments
// are held back until the high watermark has passed the seat's last append,
// heartbeats and errors leave at once. No reply is handed out under a lock.
//
// # When a log fails
//
// A shard runs ahead of its log by what was decided and not yet committed. If
// an append fails or leadership is lost, that part of the shard is wrong, so
// the whole shard is dropped, everything that waits in it is refused, and it is
// loaded again where this node still leads. While it loads, requests are
// answered COORDINATOR_LOAD_IN_PROGRESS; where it is not led, NOT_COORDINATOR.
//
// # Goroutines, locks, timers
//
// [Runtime.Run] owns two goroutines: one loads shards, one ticks them, with one
// timer for the earliest deadline of all. Without machines there is no timer.
//
// Lock order: a seat, then the partition behind its Log. The Runtime's own
// mutex guards the table of seats and is held over nothing else.
package coordinator
