package producerstate

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/internal/record"
)

// The errors below are wrapped with producer, epochs and sequences.
var (
	// ErrOutOfOrderSequence means that a batch before this one is missing.
	ErrOutOfOrderSequence = errors.New("producerstate: sequence is out of order")

	// ErrDuplicateSequence means a retry of a batch so old that its offset is
	// not known any more. The records are in the log: a client may count it as
	// delivered.
	ErrDuplicateSequence = errors.New("producerstate: sequence was appended before")

	// ErrInvalidEpoch means that a newer incarnation of the producer has
	// written: this one is fenced.
	ErrInvalidEpoch = errors.New("producerstate: producer epoch is old")

	// ErrTxnState means a batch outside of the transaction that its producer
	// has open here.
	ErrTxnState = errors.New("producerstate: batch is not in the open transaction")

	// ErrCoordinatorFenced means a marker of a coordinator that another has
	// replaced.
	ErrCoordinatorFenced = errors.New("producerstate: coordinator epoch is old")

	// ErrSnapshot means bytes that are no snapshot.
	ErrSnapshot = errors.New("producerstate: invalid snapshot")
)

func refuse(kind error, b record.Batch, p *Producer) error {
	return fmt.Errorf("%w: producer %d sends epoch %d sequences %d-%d, the last appended are epoch %d sequence %d",
		kind, b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), lastSequence(b), p.Epoch, p.LastSequence())
}

// refuseFirst is for a batch that would begin a producer's state before one
// that the coordinator is being asked about.
func refuseFirst(b record.Batch) error {
	return fmt.Errorf("%w: producer %d sends epoch %d sequences %d-%d, an earlier batch is being verified",
		ErrOutOfOrderSequence, b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), lastSequence(b))
}
