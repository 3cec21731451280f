// Package state keeps the stores of a task.
//
// A task has one goleveldb database, a [DB], and over it one [Overlay], which
// holds what was written since the last commit:
//
//	Store.Put ─► Overlay (memory, sorted) ─ Flush ─► one batch ─► DB (goleveldb)
//	Store.Get ◄─ Overlay, else DB
//
// A commit flushes the overlay as one atomic batch, with the positions in the
// changelogs that the batch corresponds to. So nothing uncommitted is ever on
// disk, and a process crash leaves a database that is right as of an earlier
// commit: the tail of the changelogs brings it up to date, and it never needs
// to be wiped.
//
// Writes are not synced: the changelog is the truth. A mark file with the
// machine's boot id tells the ways a database can have been left (see [Open]).
//
// # Keys
//
//	┌───────────┬─────────────────────┐
//	│ store, u16│ key of the store    │   user data; windowed: start ms, u64 │ key
//	├───────────┼─────────────────────┤
//	│ 0         │ "id/" name          │   u16 of the store
//	│ 0         │ "position/" name    │   changelog's topic id, 16 bytes │ next offset, u64
//	└───────────┴─────────────────────┘
//
// A stored value is the event time of its last update, eight bytes of
// milliseconds, followed by the value, so that changelog records and results
// carry event time. All integers are big-endian.
//
// Nothing here starts a goroutine but goleveldb itself: four per database, of
// which one ends up to a second after Close.
package state
