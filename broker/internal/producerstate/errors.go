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

	// ErrSnapshot means bytes that are no snapshot.
	ErrSnapshot = errors.New("producerstate: invalid snapshot")
)

func refuse(kind error, b record.Batch, p *Producer) error {
	return fmt.Errorf("%w: producer %d sends epoch %d sequences %d-%d, the last appended are epoch %d sequence %d",
		kind, b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), lastSequence(b), p.Epoch, p.LastSequence())
}
