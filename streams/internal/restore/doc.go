// Package restore brings the stores of a task up to the end of their
// changelogs, before the task processes anything.
//
// The target is the changelog's last stable offset, captured once. What is
// compared with it is the position, the offset of the next fetch, and never
// the offset of a record: the end of a changelog can be a transaction's marker,
// an aborted batch or a hole that compaction left, and no record of that offset
// ever comes. So fetches are made here, one partition at a time, with the
// position taken from the batches; a fetch that finds nothing although the
// target is stable has proved that nothing is left before it.
//
// A store whose position does not fit its changelog is not continued: see
// [Mismatch].
package restore
