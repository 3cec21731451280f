// Package restore brings the stores of a task up to the end of their
// changelogs, before the task processes anything.
//
// The target is the changelog's last stable offset, captured once, and is
// compared with the position ([cluster.Reader]), never with the offset of a
// record.
//
// A store whose position does not fit its changelog is not continued: see
// [Mismatch].
package restore
