// Package cleaner compacts logs: of each key the newest record stays, and what
// it replaces goes. Offsets never change.
//
//	log start                      From                    To          log end
//	    |------- compacted --------|------- dirty ---------|- not yet ----|
//	        before, no key twice       newer, any key        active segment,
//	                                                         younger than
//	                                                         min.compaction.lag.ms,
//	                                                         not stable, not
//	                                                         yet checkpointed
//
// A run ([Job.Run]) reads the dirty part and notes the newest offset of each
// key in a map of bounded size ([OffsetMap]); if the map is full, the run ends
// where it has come to, and the next goes on. Then it goes over everything
// below that, segment by segment, and writes what stays. Neighbours that have
// become small are joined. [commitlog.Rewrite] puts the result in place.
//
// # What stays
//
//	record                                     stays
//	-----------------------------------------  ---------------------------------
//	newest of its key, with a value            always
//	newest of its key, without (a tombstone)   until the delete horizon
//	not the newest of its key                  no
//	without a key                              always: nothing can replace it
//	of an aborted transaction                  no
//	at or above the end of the run             always
//
//	batch without records                      stays
//	-----------------------------------------  ---------------------------------
//	the last of a producer                     for its sequence (KIP-98)
//	the last of a segment                      for the offsets that it ends
//	transaction marker                         until the delete horizon
//	any other                                  no
//
// The delete horizon (KIP-534) is a time that the run which first finds a batch
// with tombstones, or a marker whose transaction has no records left, writes
// into it: delete.retention.ms from then. Whoever has read the deleted record
// has that long to read of the deletion.
//
// # Who runs it
//
// The package has no goroutine, clock or lock. The data directory decides which
// log is dirty enough ([Inspect]) and lends the memory; the replica knows what is
// stable, who the producers are and which transactions were aborted.
package cleaner
