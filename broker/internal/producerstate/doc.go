// Package producerstate keeps, for one partition, what idempotent producers
// have appended (KIP-98): enough to tell a retry from a new batch, and a gap
// from the next one in line.
//
// It is pure: no lock, clock or file. The partition's shell calls it under
// its append lock.
//
//	duplicate, found, err := state.Check(batch, now)  // new, retry, or refused
//	...stamp the batch...
//	state.Update(batch, now)                          // counts for the next Check
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
// # Snapshots
//
// The state is a function of the log's prefix. A snapshot at an offset saves
// reading the log from the start; see [State.AppendSnapshot] for the format.
package producerstate
