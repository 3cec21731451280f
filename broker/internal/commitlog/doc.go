// Package commitlog is the log of one partition: batches of records in
// segments on disk, in the file formats of Kafka (docs/format/log.md).
//
//	<topic>-<partition>/
//	  00000000000000000000.log        batches, as on the wire
//	  00000000000000000000.index      offset -> position, an entry per 4 KiB
//	  00000000000000000000.timeindex  timestamp -> offset
//	  00000000000000000000.txnindex   aborted transactions, if there are any
//	  00000000000000368769.log        the active segment
//	  leader-epoch-checkpoint         where each leader epoch began (KIP-101)
//	  00000000000000401220.quarantine what a recovery cut off before valid batches
//
// Whatever else lies there is left alone.
//
// # Contract
//
// There is one writer: the caller serializes Append, Roll, BeginEpoch,
// TruncateTo and Reset (in a partition, its mutex does). Everything else may
// be called from any goroutine at any time. Readers take no lock that the
// writer holds over its write: they see the segments as an atomic list, and of
// each segment the bytes that were published.
//
// Batches are opaque but for their header. They come checked and stamped:
// this package knows no producers, and it decodes records only to find a
// timestamp.
//
// The package starts no goroutine and has no clock: time is an argument, and
// a flush is three calls that the flusher and the simulation make alike.
//
// # Durability
//
//	         Capture              Sync                 FlushDone
//	end, files, new names  ->  fdatasync, no lock  ->  Flushed moves to end
//
// A flush covers what was appended before its Capture, in every file that
// holds such data: also segments that were rolled since the last flush, and
// the directory's entries of new files. A failed sync takes the log offline
// for good: after it the kernel may count lost pages as clean, so the next
// sync would succeed and prove nothing.
//
// A write that fails, as on a full disk, is cut off again; the log goes on
// with the next Append.
//
// # Recovery
//
// A log that was not closed in order is scanned from the segment that holds
// its recovery point: framing, CRC, offsets that continue, epochs that do not
// fall. The first bad batch ends the log:
//
//	nothing valid behind it   torn by the crash, or not to be told from it: cut
//	valid batches behind it   saved beside the log as .quarantine, then cut
//
// What remains is synced before Open returns. Indexes are caches: any doubt
// about one, and it is made anew from the log. The leader epochs and the
// indexes below a recovery point are durable before the recovery point is
// stored: [Log.Checkpoint].
//
// # Compaction
//
// This package knows no keys. It replaces closed segments by one that somebody
// writes: [Rewrite], which also tells what a crash leaves.
//
// # Lock order
//
// Log.structure, which who removes or replaces segments holds until that is
// durable, then Log.mu, then unsynced.mu, epochs.mu or segment.mu, which are held for
// moments, then the locks of vfs.FileCache. Log.mu is held over the append's
// own write and over renames, never over a sync.
package commitlog
