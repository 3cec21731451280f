package txn

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// NoProducer is the producer of who knows of none.
var NoProducer = turn.Producer{ID: none, Epoch: none}

// NoID stands for a producer id that was not drawn. An event that turns out to
// need one is answered NeedsID and has changed nothing: the caller draws an id,
// which takes time, and tries again.
const NoID int64 = none

// Init is an InitProducerId: a process takes the transactional id over.
type Init struct {
	Timeout time.Duration
	// Expected is the producer that the process was before (KIP-360), or
	// NoProducer.
	Expected turn.Producer
	// Fresh is an unused producer id, or NoID.
	Fresh int64
}

// Granted answers an Init and an End: the producer to go on as.
type Granted struct {
	Err      *kerr.Error
	Producer turn.Producer
	NeedsID  bool
}

// Add is an AddPartitionsToTxn, an AddOffsetsToTxn, or a first batch of a
// client with transactions v2. It is answered with a *kerr.Error, nil for none.
type Add struct {
	Producer   turn.Producer
	Partitions []Partition
	Version    int16
}

// Verify asks whether partitions are in the transaction (KIP-890). It is
// answered with a Verdict.
type Verify struct {
	Producer   turn.Producer
	Partitions []Partition
}

// Verdict answers a Verify: an error for all, or the partitions that are not
// in the transaction.
type Verdict struct {
	Err     *kerr.Error
	Missing []Partition
}

// End is an EndTxn. It is answered with Granted: version 2 goes on with
// another epoch.
type End struct {
	Producer turn.Producer
	Commit   bool
	Version  int16
	Fresh    int64 // an unused producer id, or NoID
}

// An Ending is an effect: write markers to these partitions and report by
// State.Marked.
type Ending struct {
	ID         string
	Producer   turn.Producer
	Commit     bool
	Version    int16
	Partitions []Partition
}

// Description is a transactional id as DescribeTransactions shows it.
type Description struct {
	Err *kerr.Error
	Metadata
}

// Listing is a transactional id as ListTransactions shows it.
type Listing struct {
	ID       string
	Producer int64
	Phase    Phase
	Started  time.Time // zero outside a transaction
}

// noError is how an Add is answered that is done.
var noError *kerr.Error
