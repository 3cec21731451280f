package broker

import (
	"errors"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
)

// groupLog gives the coordinator the partition that one of its shards lives
// in, for as long as this broker leads it in one epoch.
type groupLog struct {
	partition *replica.Partition
	epoch     int32
}

// Append implements coordinator.Log.
func (l groupLog) Append(b record.Batch) (last int64, err error) {
	result, err := l.partition.Append(b, replica.AppendRequest{Acks: replica.AcksAll, LeaderEpoch: l.epoch, Internal: true})
	return result.LastOffset, l.leadership(err)
}

// Epoch implements coordinator.Log.
func (l groupLog) Epoch() int32 { return l.epoch }

// Await implements coordinator.Log.
func (l groupLog) Await(offset int64, done func(error)) {
	var w *wait.Waiter
	w = wait.New(func() {
		err := l.leadership(w.Err(0))
		w.End()
		done(err)
	})
	w.Begin(0)
	l.partition.Await(w, replica.AppendResult{LastOffset: offset, LeaderEpoch: l.epoch})
	if !w.Arm() {
		err := l.leadership(w.Err(0))
		w.End()
		done(err)
	}
}

// Replay implements coordinator.Log.
func (l groupLog) Replay(visit func(record.Batch) error) error {
	if _, epoch := l.partition.Leader(); epoch != l.epoch || !l.partition.Leads() {
		return coordinator.ErrNotLeader
	}
	for b, err := range l.partition.Log().Batches(l.partition.LogStart(), math.MaxInt64) {
		if err != nil {
			return fmt.Errorf("replay %s-%d: %w", l.partition.Topic(), l.partition.Index(), err)
		}
		if err := visit(b); err != nil {
			return err
		}
	}
	return nil
}

// leadership marks the errors that say that this leadership is over.
func (l groupLog) leadership(err error) error {
	for _, over := range []error{replica.ErrNotLeader, replica.ErrFencedEpoch, replica.ErrUnknownEpoch, replica.ErrClosed} {
		if errors.Is(err, over) {
			return fmt.Errorf("%w: %w", coordinator.ErrNotLeader, err)
		}
	}
	return err
}
