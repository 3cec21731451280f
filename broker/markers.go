package broker

import (
	"errors"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/txn"
	"github.com/millrace-io/millrace/broker/internal/wait"
)

// markers writes the ends of transactions into the partitions here. Those of
// the offsets topic belong to a shard, which has to learn that offsets have
// become visible: so it writes the marker itself.
type markers struct {
	replicas *replica.Set
	groups   *coordinator.Groups
}

// WriteMarker implements coordinator.Markers.
func (m *markers) WriteMarker(p txn.Partition, marker coordinator.Marker, done func(error)) {
	if p.Topic == offsetsTopic {
		m.groups.WriteMarker(p.Index, marker, done)
		return
	}
	partition, ok := m.replicas.Partition(p.Topic, p.Index)
	if !ok {
		done(nil) // deleted, with what the transaction wrote there
		return
	}
	result, err := partition.WriteMarker(replicaMarker(marker))
	switch {
	case errors.Is(err, replica.ErrDeleted):
		done(nil)
	case err != nil:
		done(err)
	default:
		await(partition, result, done)
	}
}

// await calls done once, when the partition has committed what was appended or
// never will.
func await(p *replica.Partition, result replica.AppendResult, done func(error)) {
	var w *wait.Waiter
	end := func() {
		err := w.Err(0)
		w.End()
		done(err)
	}
	w = wait.New(end)
	w.Begin(0)
	p.Await(w, result)
	if !w.Arm() {
		end()
	}
}

func replicaMarker(m coordinator.Marker) replica.Marker {
	return replica.Marker{
		ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, CoordinatorEpoch: m.CoordinatorEpoch,
		Commit: m.Commit, TransactionVersion: int8(m.Version),
	}
}
