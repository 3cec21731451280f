package state

import (
	"bytes"
	"encoding/binary"

	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/util"
)

// scan calls f for every live key in [lo, hi), in order, from the overlay and
// from beneath it as one. f may write keys that it was already called for.
func (o *Overlay) scan(lo, hi []byte, f func(key, stored []byte) error) error {
	o.sort()
	upper := o.order.NewIterator(&util.Range{Start: lo, Limit: hi})
	defer upper.Release()
	lower := iterator.NewEmptyIterator(nil)
	if o.db != nil {
		lower = o.db.iterate(lo, hi)
	}
	defer lower.Release()

	inUpper, inLower := upper.Next(), lower.Next()
	for inUpper || inLower {
		side := 0
		switch {
		case !inLower:
			side = -1
		case !inUpper:
			side = 1
		default:
			side = bytes.Compare(upper.Key(), lower.Key())
		}
		if side > 0 {
			if err := f(lower.Key(), lower.Value()); err != nil {
				return err
			}
			inLower = lower.Next()
			continue
		}
		// On a tie the overlay hides what lies beneath.
		e := &o.entries[binary.BigEndian.Uint32(upper.Value())]
		if !e.deleted {
			if err := f([]byte(e.key), e.value); err != nil {
				return err
			}
		}
		inUpper = upper.Next()
		if side == 0 {
			inLower = lower.Next()
		}
	}
	if err := lower.Error(); err != nil {
		return o.db.failed(err)
	}
	return nil
}
