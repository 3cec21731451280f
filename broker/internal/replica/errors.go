package replica

import "errors"

// AcksAll is the acks of a producer that waits for the whole ISR.
const AcksAll = -1

// The errors below become Kafka's codes at the edge of the broker.
var (
	// ErrNotLeader: another broker leads the partition, or none.
	ErrNotLeader = errors.New("replica: not the leader of the partition")
	// ErrFencedEpoch: the client's leader epoch is older than the partition's.
	ErrFencedEpoch = errors.New("replica: leader epoch is old")
	// ErrUnknownEpoch: the client's leader epoch is newer than this broker
	// knows.
	ErrUnknownEpoch = errors.New("replica: leader epoch is not known yet")
	// ErrNotEnoughReplicas: acks=all, and the ISR is smaller than
	// min.insync.replicas. Nothing was appended.
	ErrNotEnoughReplicas = errors.New("replica: not enough in-sync replicas")
	// ErrOffsetOutOfRange: a read below the log's start or beyond its end.
	ErrOffsetOutOfRange = errors.New("replica: offset out of range")
	// ErrOffsetNotAvailable: a leader was elected, and what is committed of
	// its log is not known yet (KIP-207). To be retried.
	ErrOffsetNotAvailable = errors.New("replica: offset is not available yet")
	// ErrMessageTooLarge: the batch is larger than max.message.bytes.
	ErrMessageTooLarge = errors.New("replica: batch is larger than max.message.bytes")
	// ErrSegmentTooSmall: the batch is larger than segment.bytes.
	ErrSegmentTooSmall = errors.New("replica: batch is larger than segment.bytes")
	// ErrInvalidRecord: a batch that a client may not send.
	ErrInvalidRecord = errors.New("replica: invalid record batch")
	// ErrInvalidTimestamp: a record's timestamp lies too far from the broker's
	// clock.
	ErrInvalidTimestamp = errors.New("replica: timestamp out of bounds")
	// ErrInvalidTxnState: a transactional batch of a transaction that this
	// partition is not part of.
	ErrInvalidTxnState = errors.New("replica: partition is not in the transaction")
	// ErrPolicy: the topic's cleanup.policy does not allow it.
	ErrPolicy = errors.New("replica: not allowed by cleanup.policy")
	// ErrStorage: the disk fails. The cause is wrapped.
	ErrStorage = errors.New("replica: storage failure")
	// ErrDeleted: the topic is gone.
	ErrDeleted = errors.New("replica: partition is deleted")
	// ErrClosed: the broker stops.
	ErrClosed = errors.New("replica: partition is closed")
	// ErrUnsupportedTimestamp: a negative timestamp without a meaning.
	ErrUnsupportedTimestamp = errors.New("replica: no such special timestamp")
)
