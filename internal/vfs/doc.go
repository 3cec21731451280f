// Package vfs is the filesystem as a value. What stores bytes takes an [FS],
// so that the same code runs on a disk, in memory, and on a disk that fails.
//
//   - [OS] is the disk: pwritev, fdatasync, flock.
//   - [Mem] is memory that knows what was synced. [Mem.Crash] answers what a
//     disk would hold after a loss of power, drawn from a random source: the
//     unsynced writes, truncations, renames and directory entries are each
//     kept, dropped or torn.
//   - [Fault] wraps either and fails the operation that a rule names: EIO on
//     the k-th sync, ENOSPC after n bytes, a write that ends early.
//
// # What is durable
//
// Two things must be synced before a new file survives a crash: its contents
// by [File.Sync], and its name by [FS.SyncDir] of the directory that holds it.
// Each directory is synced on its own: a file in a directory whose own name
// was not synced is lost with it. A rename is one operation, durable as a
// whole or not at all.
//
// # Concurrency
//
// An FS and its Files may be used by any number of goroutines. Closing a File
// while another goroutine uses it fails that use with fs.ErrClosed and harms
// nothing else.
package vfs
