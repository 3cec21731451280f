package broker

import (
	"errors"
	"fmt"
	"math"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/internal/record"
)

// shardLog gives a coordinator the partition that one of its shards lives in, for as long as this broker leads it in one epoch.
type shardLog struct {
	partition *replica.Partition
	epoch     int32
}

// Append implements coordinator.Log.
func (l shardLog) Append(b record.Batch) (last int64, err error) {
	result, err := l.partition.Append(b, replica.AppendRequest{Acks: replica.AcksAll, LeaderEpoch: l.epoch, Internal: true})
	return result.LastOffset, l.leadership(err)
}

// Mark implements coordinator.Log.
func (l shardLog) Mark(m coordinator.Marker) (offset int64, err error) {
	result, err := l.partition.WriteMarker(replicaMarker(m))
	return result.LastOffset, l.leadership(err)
}

// VerifyProducer implements coordinator.Log.
func (l shardLog) VerifyProducer(p turn.Producer) coordinator.Guard {
	return coordinator.Guard(l.partition.VerifyProducer(p.ID, p.Epoch))
}

// CheckProducer implements coordinator.Log.
func (l shardLog) CheckProducer(p turn.Producer, g coordinator.Guard) error {
	err := l.partition.CheckProducer(p.ID, p.Epoch, producerstate.Guard(g))
	switch {
	case errors.Is(err, producerstate.ErrInvalidEpoch):
		return fmt.Errorf("%w: %w", coordinator.ErrFenced, err)
	case errors.Is(err, replica.ErrInvalidTxnState):
		return fmt.Errorf("%w: %w", coordinator.ErrNotInTransaction, err)
	}
	return err
}

// Epoch implements coordinator.Log.
func (l shardLog) Epoch() int32 { return l.epoch }

// Await implements coordinator.Log.
func (l shardLog) Await(offset int64, done func(error)) {
	await(l.partition, replica.AppendResult{LastOffset: offset, LeaderEpoch: l.epoch}, func(err error) {
		done(l.leadership(err))
	})
}

// Replay implements coordinator.Log.
func (l shardLog) Replay(visit func(record.Batch) error) error {
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
func (l shardLog) leadership(err error) error {
	for _, over := range []error{replica.ErrNotLeader, replica.ErrFencedEpoch, replica.ErrUnknownEpoch, replica.ErrClosed} {
		if errors.Is(err, over) {
			return fmt.Errorf("%w: %w", coordinator.ErrNotLeader, err)
		}
	}
	return err
}
