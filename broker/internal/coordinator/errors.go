package coordinator

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrNotLeader is what a Log returns, wrapped or not, when this node does not
// lead the partition, or not any longer.
var ErrNotLeader = errors.New("not the leader of the coordinator's partition")

// ErrFenced is what a Log returns, wrapped or not, for a producer that has been
// replaced by one with a newer epoch.
var ErrFenced = errors.New("the producer has a newer epoch")

// ErrNotInTransaction is what a Log returns, wrapped or not, for a batch of a
// transaction that it must not begin.
var ErrNotInTransaction = errors.New("the partition is not in the producer's transaction")

// refusal is what a client is told when the log has failed: look for the
// coordinator elsewhere, or here again in a moment.
func refusal(err error) *kerr.Error {
	if errors.Is(err, ErrNotLeader) {
		return kerr.NotCoordinator
	}
	return kerr.CoordinatorNotAvailable
}
