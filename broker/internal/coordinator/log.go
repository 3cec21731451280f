package coordinator

import (
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/internal/record"
)

// Log is the partition that a shard lives in, under one
// leadership: when that is over, its methods fail with ErrNotLeader. Package
// replica provides it, through an adapter in package broker.
type Log interface {
	// Append writes one batch and returns the offset of its last record. It
	// does not wait for the flush or for replicas, and keeps nothing of b. It
	// calls no done of Await: a lock is held over it that done takes.
	Append(b record.Batch) (last int64, err error)
	// Mark writes the marker that ends a producer's transaction, and returns
	// its offset. What holds for Append holds for it.
	Mark(m Marker) (offset int64, err error)
	// VerifyProducer comes before the question to a transaction's coordinator,
	// whether it includes this partition. The guard is for CheckProducer.
	VerifyProducer(p turn.Producer) Guard
	// CheckProducer says why a batch in a producer's transaction must not be
	// appended: ErrFenced, wrapped, when the producer has a newer epoch here;
	// ErrNotInTransaction when the transaction is not open here and a marker
	// has come since the guard was given.
	CheckProducer(p turn.Producer, g Guard) error
	// Epoch is the epoch of the leadership.
	Epoch() int32
	// Await calls done once: with nil when the high watermark has passed the
	// offset, or with the reason why it cannot be waited for. It may call
	// before it returns, or later on any goroutine, and holds no lock then.
	Await(offset int64, done func(error))
	// Replay hands over every batch from the start of the log to its end at
	// the time of the call, whether committed or not.
	Replay(visit func(record.Batch) error) error
}

// A Guard stands for a question to the coordinator of a transaction: a batch
// that was delayed until after the transaction's marker must not open one that
// nobody would ever end (KIP-890). Package producerstate has the rules.
type Guard uint64

// A Marker ends a producer's transaction in one partition.
type Marker struct {
	ProducerID    int64
	ProducerEpoch int16
	// CoordinatorEpoch is the epoch in which the transaction's coordinator
	// leads: partitions refuse markers of one that was replaced.
	CoordinatorEpoch int32
	Commit           bool
	// Version is the version of transactions: from 2 on ProducerEpoch is that
	// of the producer's next transaction.
	Version int16
}
