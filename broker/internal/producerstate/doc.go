// Package producerstate keeps, for one partition, what idempotent producers
// have appended (KIP-98): enough to tell a retry from a new batch, and a gap
// from the next one in line; and which transactions are open.
//
// It is pure: no lock, clock or file. The partition's shell calls it under
// its append lock.
//
//	duplicate, found, err := state.Check(batch, now)  // new, retry, or refused
//	...stamp the batch...
//	state.Update(batch, now, position)                // counts for the next Check
//	...write...
//	state.Commit()  or  state.Rollback()              // the whole drain
//
// # Rules
//
// A producer id has one epoch and a window of its last five batches, as many
// as a client has in flight.
//
//	batch                                       answer
//	------------------------------------------  -----------------------------
//	equal to one in the window                  duplicate, with that one's
//	                                            offsets and timestamp
//	same epoch, first sequence = last + 1       new (2^31-1 is followed by 0)
//	same epoch, all of it behind the window     ErrDuplicateSequence, if the
//	                                            epoch was seen from its start
//	same epoch, anything else                   ErrOutOfOrderSequence
//	older epoch                                 ErrInvalidEpoch
//	newer epoch, sequence 0                     new; the window begins anew
//	newer epoch, another sequence               ErrOutOfOrderSequence
//	unknown or expired producer, any sequence   new (KIP-360)
//
// A producer expires when it has not appended for producer.id.expiration.ms
// by this broker's clock. Kafka goes by the timestamps of its records, so
// that a producer of old events loses its window while it writes.
//
// # Transactions
//
// A transaction begins here with its first batch and ends with a marker, a
// control batch of the transaction coordinator (KIP-98).
//
//	        first batch, under a guard            marker, not of an old epoch
//	none ─────────────────────────────▶ open ───────────────────────────▶ ended
//	                                                                        │
//	       FirstUnstable: open, or ended and not settled                    │
//	                                                                        ▼
//	                                 marker below the high watermark:   settled
//
// The first unstable transaction holds the last stable offset back. Ended
// tells what the updates of a drain have ended, for the index of aborted
// transactions.
//
// Only the coordinator knows whether a partition is in a transaction. So the
// first batch is appended under a guard: Verify hands one out before the
// coordinator is asked, and a marker that arrives meanwhile takes it back
// (KIP-890). Without it a batch that was delayed until after its transaction's
// end would open one that nobody ends, and the last stable offset would never
// move again.
//
// # Snapshots
//
// The state is a function of the log's prefix. A snapshot at an offset saves
// reading the log from the start; see [State.AppendSnapshot] for the format.
package producerstate
