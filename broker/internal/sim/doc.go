// Package sim plays a broker's whole life from one seed: raft node,
// controller, replicas, coordinator, groups and producer state, over the real
// commitlog and data directory, on one disk in memory that forgets at a loss
// of power what was not synced.
//
//	seed ──▶ World ── draws a step ──▶ node (quorum, controller, replica, coordinator ...)
//	           │                         │ effects
//	           ▼                         ▼
//	         model ◀── checks ──────── disk (vfs.Fault on vfs.Mem; it can end at any effect)
//
// There is one goroutine and no clock: the World is the shell of all cores. It
// moves the time, hands over requests, and makes the calls of a flush: Capture,
// Sync and FlushDone are steps of their own, with others between them. A loss
// of power or the death of the process can fall between any two operations on
// the filesystem, recovery included; the disk counts them.
//
// # What is checked
//
// The model remembers what was appended, what was acknowledged and what was
// shown. After every recovery the logs are held against it:
//
//   - what was acknowledged with acks=all, or lay below a high watermark that
//     was seen, is there, byte for byte (I2, I3, I5, I7);
//   - a log is what was appended to it, up to some point: nothing else, nothing
//     doubled, nothing in another order, and its epochs never fall (I5, I6);
//   - no read shows anything at or above the high watermark, or with
//     read_committed the last stable offset (I8);
//   - transactions are visible whole and once, or not at all;
//   - a retried batch is told from a new one, before and after a recovery
//     (I13): it stands once, and the retry is answered with its offset;
//   - a group's committed offset never goes back behind what was acknowledged
//     or shown;
//   - a topic that was created, or deleted, stays so.
//
// The ids are those of the invariants in docs/reliability.md. A failure names
// the seed; go test ./broker/internal/sim -seed N plays it again, step by step
// the same.
package sim
