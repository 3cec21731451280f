// Package replica serves the partitions that this broker holds a copy of.
//
// A [Partition] is a pure core, [State], and a shell around the log:
//
//	Append ── queue ──> drain: admit, stamp, one write ──> commitlog
//	                      │ producerstate: retry? gap?         │
//	                      v                                    v Dirty
//	Read <── high watermark <── State <── FlushDone <────── flusher
//	              └─> wait: acks, fetches
//
// State knows roles, epochs and positions, and decides where the high
// watermark stands; spec and invariants are those of Kafka's replication with
// leader epochs (KIP-101, KIP-279, KIP-320, KIP-207). The high watermark
// follows what is flushed where the topic is durable, and the log's end where
// its durability is the page cache.
//
// # Append
//
// Appends queue up while one is written. Who gets the lock next drains the
// queue: checks each batch against the producers' state, in which the earlier
// batches of the same drain count; stamps offset and leader epoch in place;
// writes all of them at once; and only then makes log end and producers'
// state visible. A write that fails is cut off, and fails every batch of its
// drain and every duplicate of one. A duplicate of an earlier batch succeeds
// with that one's offsets, and waits for the high watermark like it.
//
// # Read
//
// A read takes no lock and allocates nothing: role and high watermark are
// atomics, and the log hands out a range of a file. A request that names a
// leader epoch is fenced (KIP-320); nothing above the high watermark is shown.
//
// With read_committed the end is the last stable offset, where the first
// transaction begins that is open or whose marker is not committed, and the
// aborted transactions that overlap the range come with it. Markers are written
// by WriteMarker. A fetch that waits under either level waits in a queue of its
// own.
//
// # Flush
//
// A flush is Capture, the sync, and FlushDone, made by the data directory's
// flusher or step by step by a simulation. Nothing here starts a goroutine or
// a timer, and time comes from Deps.Now, so a simulation can run the whole.
//
// # Locks
//
// Set.mu (changes of the index), then Partition.mu (append, state), then the
// leaves: the append queue's, the wait queue's, the log's. Disk and wake
// functions are called without any of the last three. Retain does not hold
// Partition.mu while the log works, since that syncs.
package replica
