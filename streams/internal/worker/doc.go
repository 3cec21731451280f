// Package worker is the shell around tasks: a member of the group, with one
// Kafka client, that runs the tasks it is assigned in one goroutine.
//
//	          ┌──────────────────────────── turn ───────────────────────────┐
//	poll ────►│ adopt opened tasks, feed, step, pause or resume, commit if due │───► allow rebalance ─► poll
//	          └──────────────────────────────────────────────────────────────┘
//	opener (a goroutine per assignment): committed offsets, database, restore ─► adopted in a later turn
//
// The client blocks rebalances from the return of a poll until they are
// allowed, and the worker touches tasks only then. The callbacks of a rebalance
// run outside of it. So tasks need no lock, and stepping and committing are
// never interrupted by a revocation.
//
// A revoked task is committed and closed before the revocation completes, so
// that its next owner begins where it ended. A lost one (the group went on
// without us) is closed without: its uncommitted state is dropped, and its
// inputs are read again by whoever has it now.
package worker
