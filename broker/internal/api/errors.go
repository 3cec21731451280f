package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/quorum"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
)

// codes is the edge where errors of the packages below become Kafka's. An
// error that wraps several is the first that is found, so causes stand behind
// what they cause.
var codes = []struct {
	err  error
	code *kerr.Error
}{
	{replica.ErrNotLeader, kerr.NotLeaderForPartition},
	{replica.ErrClosed, kerr.NotLeaderForPartition},
	{replica.ErrDeleted, kerr.UnknownTopicOrPartition},
	{replica.ErrFencedEpoch, kerr.FencedLeaderEpoch},
	{replica.ErrUnknownEpoch, kerr.UnknownLeaderEpoch},
	{replica.ErrNotEnoughReplicas, kerr.NotEnoughReplicas},
	{replica.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
	{replica.ErrOffsetNotAvailable, kerr.OffsetNotAvailable},
	{replica.ErrMessageTooLarge, kerr.MessageTooLarge},
	{replica.ErrSegmentTooSmall, kerr.RecordListTooLarge},
	{replica.ErrInvalidRecord, kerr.InvalidRecord},
	{replica.ErrInvalidTimestamp, kerr.InvalidTimestamp},
	{replica.ErrInvalidTxnState, kerr.InvalidTxnState},
	{replica.ErrPolicy, kerr.PolicyViolation},
	{replica.ErrUnsupportedTimestamp, kerr.InvalidRequest},
	{replica.ErrStorage, kerr.KafkaStorageError},

	{producerstate.ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber},
	{producerstate.ErrDuplicateSequence, kerr.DuplicateSequenceNumber},
	{producerstate.ErrInvalidEpoch, kerr.InvalidProducerEpoch},
	{producerstate.ErrTxnState, kerr.InvalidTxnState},
	{producerstate.ErrCoordinatorFenced, kerr.TransactionCoordinatorFenced},
	{producerstate.ErrSnapshot, kerr.KafkaStorageError},

	{record.ErrCodec, kerr.UnsupportedCompressionType},
	{record.ErrTooLarge, kerr.InvalidRecord},
	{record.ErrInvalid, kerr.InvalidRecord},
	{record.ErrEmpty, kerr.InvalidRecord},
	{record.ErrShort, kerr.CorruptMessage},
	{record.ErrCorrupt, kerr.CorruptMessage},

	{commitlog.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
	{commitlog.ErrTooLarge, kerr.RecordListTooLarge},
	{commitlog.ErrNotContiguous, kerr.KafkaStorageError},
	{commitlog.ErrReplaced, kerr.KafkaStorageError},
	{commitlog.ErrOffline, kerr.KafkaStorageError},
	{commitlog.ErrClosed, kerr.NotLeaderForPartition},

	{wait.ErrClosed, kerr.NotLeaderForPartition},
	{wait.ErrPending, kerr.RequestTimedOut},

	{coordinator.ErrNotLeader, kerr.NotCoordinator},
	{coordinator.ErrFenced, kerr.InvalidProducerEpoch},
	{coordinator.ErrNotInTransaction, kerr.InvalidTxnState},

	{quorum.ErrNotController, kerr.NotController},
	{quorum.ErrStopped, kerr.NotController},
	{quorum.ErrTooLarge, kerr.PolicyViolation},
	{quorum.ErrCorrupt, kerr.KafkaStorageError},
	{quorum.ErrForeign, kerr.KafkaStorageError},

	{context.DeadlineExceeded, kerr.RequestTimedOut},
	{context.Canceled, kerr.RequestTimedOut},
}

// codeOf is Kafka's error for one of ours: nil for nil, and
// UNKNOWN_SERVER_ERROR for one that nobody has thought of. Kafka's own errors
// pass through.
func codeOf(err error) *kerr.Error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*kerr.Error](err); ok {
		return known
	}
	for i := range codes {
		if errors.Is(err, codes[i].err) {
			return codes[i].code
		}
	}
	return kerr.UnknownServerError
}
