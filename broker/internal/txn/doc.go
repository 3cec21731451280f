// Package txn decides what happens to a transactional id: which producer owns
// it, what its transaction includes, and how the transaction ends. It is the
// pure half of the transaction coordinator (KIP-98); package coordinator is
// the shell.
//
// A [State] is one transactional id. An event comes as a [turn.Turn] with its
// time, and leaves records, a reply and effects in it. State changes only
// through [State.Apply] of a [Record], live and on load alike, and records are
// those of Kafka's __transaction_state.
//
//	            ┌────────── init (a new epoch) ──────────┐
//	            ▼                                        │
//	init ──▶ Empty ── add ──▶ Ongoing ─ end ─▶ PrepareCommit ──▶ CompleteCommit ┐
//	            ▲                │    └ end ─▶ PrepareAbort ───▶ CompleteAbort ─┤
//	            │                └ timeout, init: PrepareAbort, a newer epoch   │
//	            └────────────────────────────── add goes to Ongoing again ◀────┘
//
// # The two steps of an end
//
// With the prepare record in the log the outcome is decided: the reply leaves,
// and an [Ending] asks the shell to write markers into the partitions of the
// transaction. [State.Marked] says that they are there, and only then the
// complete record allows the next transaction. Both wait for the log: markers
// of a decision that a crash could take back would tear the transaction. What
// finds the id between the two steps is told CONCURRENT_TRANSACTIONS, and
// clients ask again; an [Add] waits for a moment before that. After a crash, a State that was loaded in a prepare phase
// asks for its markers once more; a second marker changes nothing.
//
// # Epochs
//
// Of two processes with one transactional id the later lives: each init bumps
// the producer's epoch, and whoever speaks with an older one is fenced. What
// the coordinator aborts by itself (after the timeout, or for a successor)
// ends with a newer epoch, so that the producer's batches under way are
// refused in the partitions too. Epochs run out before the largest: then the
// id gets another producer id.
//
// Transactions v2 (KIP-890) bump the epoch at every end, so that nothing that
// is late can reach into the next transaction: the client takes the new epoch
// from the reply. A retry of an end is known by the epoch before, and is given
// the same reply again. Partitions join by being written to, with version 2
// in their [Add].
//
// Kafka passes through PrepareEpochFence in memory between deciding on a fence
// and having PrepareAbort written. Both are one turn here, so no State is ever
// in it; its name is known for filters and records.
//
// # What the log does not hold
//
// The epoch before a bump by init (KIP-360) is in memory only, as Kafka's
// format has no place for it: a retry of an init that meets a coordinator
// loaded in between is fenced.
package txn
