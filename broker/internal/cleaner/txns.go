package cleaner

import (
	"encoding/binary"
	"slices"

	"github.com/millrace-io/millrace/internal/record"
)

// Aborted is an aborted transaction: the producer's batches from the first to
// the marker.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
	LastOffset  int64
}

// txns follows transactions over one pass from the log's start.
type txns struct {
	aborted map[int64][]Aborted // by producer, ascending
	// seen are the producers whose transaction has had a batch in this pass,
	// and no marker yet.
	seen map[int64]struct{}
}

func newTxns(list []Aborted) *txns {
	t := &txns{aborted: make(map[int64][]Aborted), seen: make(map[int64]struct{})}
	for _, a := range list {
		t.aborted[a.ProducerID] = append(t.aborted[a.ProducerID], a)
	}
	for _, list := range t.aborted {
		slices.SortFunc(list, func(x, y Aborted) int { return int(min(max(x.FirstOffset-y.FirstOffset, -1), 1)) })
	}
	return t
}

// isAborted reports whether a batch belongs to an aborted transaction.
func (t *txns) isAborted(b record.Batch) bool {
	if !b.IsTransactional() || b.IsControl() {
		return false
	}
	list := t.aborted[b.ProducerID()]
	i, _ := slices.BinarySearchFunc(list, b.BaseOffset(), func(a Aborted, offset int64) int {
		if a.LastOffset < offset {
			return -1
		}
		return 1
	})
	return i < len(list) && list[i].FirstOffset <= b.BaseOffset()
}

// batch notes a batch of records.
func (t *txns) batch(b record.Batch) {
	if b.IsTransactional() {
		t.seen[b.ProducerID()] = struct{}{}
	}
}

// marker notes a control batch, and reports whether it ends a transaction of
// which nothing was seen: no reader needs it to make sense of the log.
func (t *txns) marker(b record.Batch, records []byte) (alone bool) {
	if !isMarker(b, records) {
		return false
	}
	_, seen := t.seen[b.ProducerID()]
	delete(t.seen, b.ProducerID())
	return !seen
}

// isMarker tells the end of a transaction from other control records, such as
// a change of leader, of which the cleaner knows nothing.
func isMarker(b record.Batch, records []byte) (ok bool) {
	_ = b.Scan(records, func(r record.Raw) error {
		if len(r.Key) >= 4 {
			kind := binary.BigEndian.Uint16(r.Key[2:])
			ok = kind == 0 || kind == 1 // abort, commit
		}
		return nil
	})
	return ok
}
