package producerstate

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/internal/record"
)

// Marker is what a coordinator writes into every partition of a transaction
// to end it: a control batch of one record.
//
//	key    version int16 = 0 | type int16: 0 abort, 1 commit
//	value  version int16 = 0 | coordinator epoch int32
type Marker struct {
	Committed bool
	// CoordinatorEpoch is the leader epoch of the coordinator's own partition:
	// markers of one that was replaced are refused.
	CoordinatorEpoch int32
}

const (
	markerKeySize   = 4
	markerValueSize = 6

	abortMarker  = 0
	commitMarker = 1
)

// Batch builds the marker's batch, with a timestamp in milliseconds.
func (m Marker) Batch(id int64, epoch int16, timestamp int64) (record.Batch, error) {
	var key [markerKeySize]byte
	var value [markerValueSize]byte
	if m.Committed {
		binary.BigEndian.PutUint16(key[2:], commitMarker)
	}
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	var bl record.Builder
	bl.SetProducer(id, epoch, none)
	bl.SetTransactional(true)
	bl.SetControl(true)
	bl.Append(record.Record{Timestamp: timestamp, Key: key[:], Value: value[:]})
	return bl.Build()
}

// ParseMarker reads the marker of a control batch. A control batch that is no
// marker, such as a leader change, is found to be none. Later versions may
// append to both parts.
func ParseMarker(b record.Batch) (m Marker, found bool, err error) {
	if !b.IsControl() || !b.IsTransactional() {
		return Marker{}, false, nil
	}
	for r, err := range b.Records() {
		if err != nil {
			return Marker{}, false, err
		}
		if len(r.Key) < markerKeySize || len(r.Value) < markerValueSize {
			return Marker{}, false, fmt.Errorf("%w: marker with a key of %d and a value of %d bytes", record.ErrInvalid, len(r.Key), len(r.Value))
		}
		kind := binary.BigEndian.Uint16(r.Key[2:])
		m.Committed = kind == commitMarker
		m.CoordinatorEpoch = int32(binary.BigEndian.Uint32(r.Value[2:]))
		return m, kind == commitMarker || kind == abortMarker, nil
	}
	return Marker{}, false, nil // compacted away
}

// CheckMarker decides on a marker: its epoch must not be older than the
// producer's, nor its coordinator than the last to have written one. A marker
// that bumps (transactions v2, KIP-890) carries the epoch of the next
// transaction: one with the epoch of the transaction that is open is a late
// marker of the transaction before.
func (s *State) CheckMarker(id int64, epoch int16, m Marker, bumps bool) error {
	p, known := s.producers[id]
	switch {
	case !known:
		return nil
	case epoch < p.Epoch, bumps && epoch == p.Epoch && p.TxnFirstOffset != none:
		return fmt.Errorf("%w: marker of epoch %d for producer %d, which has epoch %d", ErrInvalidEpoch, epoch, id, p.Epoch)
	case m.CoordinatorEpoch < p.CoordinatorEpoch:
		return fmt.Errorf("%w: epoch %d, a marker for producer %d came from epoch %d", ErrCoordinatorFenced, m.CoordinatorEpoch, id, p.CoordinatorEpoch)
	}
	return nil
}
