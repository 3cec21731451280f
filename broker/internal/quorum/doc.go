// Package quorum keeps the metadata log: it agrees on an order of entries
// with the other voters by Raft, makes them durable, and applies them to the
// image of package metadata.
//
//	            Propose(build)                        Publish(Delta, Image)
//	API, node ────────────────▶ Runner ──▶ Node ──▶ ─────────────────────▶ subscribers
//	                            (shell)    (steps)
//	                                         │ raft.RawNode
//	                                         ▼
//	          __cluster_metadata-0/  commitlog: one entry = one batch
//	                                 {index}-{term}.checkpoint: snapshots
//	                                 quorum-state: term and vote
//
// [Node] is the state machine with its storage, and has no goroutine, timer or
// lock: every step is a call, also the flush, so the simulation can put a
// crash between any two. [Runner] is its shell: one goroutine, one serial
// queue.
//
// # The log
//
// The metadata log is a partition like others. Raft's index is the offset and
// its term the leader epoch; one entry is one batch with exactly one record,
// so an entry applies as a whole or not at all. The record's value frames the
// entry (docs/format/metadata.md): its type, the offset below which this
// node's log was durable when the entry was written, and the metadata records.
//
// Entries hold records, not requests. The active controller (the leader, once
// it has applied the first entry of its term) evaluates a request against the
// speculative image, which is the applied one and everything proposed since.
// When leadership is lost the speculation is dropped.
//
// # What is durable when
//
// Term and vote are synced before the entries and messages that follow from
// them; entries are synced before they count as committed. The commit index is
// not stored: after a restart the newest snapshot's index counts as committed,
// and what lies above is applied when the commit is learnt again. A sole voter
// learns it at once, by its own election.
//
// # Recovery
//
// A bad entry that a later valid one names as durable is rot: this node has
// once promised that it holds the entry, so it must not go on without. It
// refuses to start, with a [RotError] that says where and what to do. Any
// other bad entry was being written when the node stopped, and is cut. A
// snapshot with a bad checksum is passed over for the one before, as far as
// the log reaches back.
//
// # Time
//
// A sole voter campaigns at once and then needs no clock. With peers a tick is
// 10 ms, elections time out after 250 to 490 ms, and leaders send heartbeats
// every 50 ms.
package quorum
