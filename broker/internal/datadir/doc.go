// Package datadir is one data directory of a broker and what its partitions
// share: the lock, the identity, the checkpoints, the flusher, the bound on
// open files and the schedule of retention.
//
//	<data dir>/
//	  .lock                             held while a process uses the directory
//	  meta.properties                   cluster, node and directory id
//	  .kafka_cleanshutdown              there after a stop in order, removed at start
//	  recovery-point-offset-checkpoint  per partition: what was flushed
//	  log-start-offset-checkpoint       per partition: the first offset
//	  replication-offset-checkpoint     per partition: the high watermark
//	  cleaner-offset-checkpoint         per partition: below it the log is compacted
//	  <topic>-<partition>/              a log (package commitlog) and
//	    partition.metadata              the topic's id
//
// All files have Kafka's formats (docs/format/log.md).
//
// # Start and stop
//
// [Open] takes the lock, reads what the last stop left, and removes the
// marker of a clean one, durably, before anything else happens: the next
// crash must not pass for a clean stop. [Dir.Close] writes the marker last,
// and only if told that every log was closed in order.
//
// # Flushing
//
// One [Flusher] per directory. A partition that has data to flush says so by
// [Entry.Dirty]; a flush starts at once, without linger: what is appended
// while it runs joins the next one, so batching comes with load.
//
//	up to eight dirty partitions   each its own group, one fdatasync in flight
//	more                           one cycle for all, by syncfs where the
//	                               directory is its own filesystem, else by
//	                               fdatasync on parallel workers
//
// Under durability=pagecache a partition says by [Entry.DirtyBy] when its oldest
// unflushed record becomes too old (flush.ms), and is flushed then.
//
// A flush that fails takes the directory offline for good, with every
// partition in it (KIP-858).
//
// # Who runs what
//
// [Dir.Run] owns the goroutines: flushes, and one that writes checkpoints a
// second after something changed and looks at retention every five minutes, and
// one that compacts (package cleaner), a log at a time and at a bounded rate.
// With nothing to do there is no timer shorter than that. Without Run all of
// it can be stepped: [Flusher.Begin], [Dir.FlushAged], [Dir.Checkpoint],
// [Dir.Retain], [Dir.Compact]; the simulation does so.
package datadir
