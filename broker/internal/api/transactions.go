package api

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/txn"
)

// Transactions answers for the transactional ids whose partition of
// __transaction_state this node leads. What is said of Coordinator's methods
// that take a reply holds for these.
type Transactions interface {
	InitProducerID(id string, req *txn.Init, reply func(txn.Granted))
	AddPartitions(id string, req *txn.Add, reply func(*kerr.Error))
	VerifyPartitions(id string, req *txn.Verify, reply func(txn.Verdict))
	EndTransaction(id string, req *txn.End, reply func(txn.Granted))
	DescribeTransaction(id string, reply func(txn.Description))
	// ListTransactions returns the ids of all shards that are loaded here, and
	// COORDINATOR_LOAD_IN_PROGRESS while one is loading.
	ListTransactions() ([]txn.Listing, *kerr.Error)
}

// transactionsV2 is the version of transactions in which partitions join by
// being written to, and every end bumps the epoch (KIP-890).
const transactionsV2 = 2

// exists reports whether the cluster has a partition.
func exists(image *metadata.Image, p txn.Partition) bool {
	_, ok := image.Partition(p.Topic, p.Index)
	return ok
}
