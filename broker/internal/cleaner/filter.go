package cleaner

import (
	"github.com/millrace-io/millrace/internal/record"
)

// Last is a producer's newest batch of those that no crash can take: what tells
// its next sequence. A newer one that is not durable yet must not count, or a
// crash would leave neither.
type Last struct {
	Epoch int16
	// LastOffset is that of its newest batch of records, -1 if it has none in
	// its epoch: then the marker stays that began the epoch.
	LastOffset int64
	// Unknown says that the producer has written so much since that the batch is
	// not known any more: all of its batches stay, until the next run.
	Unknown bool
}

// filter decides what stays of each batch of one run.
type filter struct {
	keys    *OffsetMap
	end     int64 // from here on nothing is in keys
	now     int64 // milliseconds
	horizon int64 // a delete horizon that is set in this run
	last    func(producerID int64) (Last, bool)
	txns    *txns

	open  record.Decompressor
	write record.Rewriter
	// dropped counts the records that did not stay.
	dropped int64
}

// apply returns what is left of a batch: itself, one with fewer records, valid
// until the next call, or nil.
func (f *filter) apply(b record.Batch) (record.Batch, error) {
	records, err := f.open.Expand(b)
	if err != nil {
		return nil, err
	}
	if b.IsControl() {
		return f.control(b, records)
	}
	f.txns.batch(b)
	aborted := b.LastOffset() < f.end && f.txns.isAborted(b)
	at, hasHorizon := b.DeleteHorizon()
	keepDeletes := !hasHorizon || f.now < at
	tombstones := false
	f.write.Begin(b)
	if err := b.Scan(records, func(r record.Raw) error {
		if !aborted && f.stays(r, b.BaseOffset()+int64(r.OffsetDelta), keepDeletes) {
			tombstones = tombstones || r.Tombstone && r.Key != nil
			f.write.Keep(r)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	switch kept := f.write.Count(); {
	case kept == 0:
		return f.empty(b)
	case tombstones && !hasHorizon:
		return f.withHorizon(b, records, aborted)
	case kept == int(b.Count()):
		return b, nil
	}
	return f.finish(b)
}

func (f *filter) stays(r record.Raw, offset int64, keepDeletes bool) bool {
	switch {
	case offset >= f.end || r.Key == nil:
		return true
	case f.keys.Latest(r.Key) > offset:
		return false
	}
	return keepDeletes || !r.Tombstone
}

// finish is the batch that the records kept so far make.
func (f *filter) finish(b record.Batch) (record.Batch, error) {
	f.dropped += int64(b.Count()) - int64(f.write.Count())
	return f.write.Finish()
}

// withHorizon goes over a batch once more: that tombstones stay in it was not
// known when the first record was kept, and all timestamps are counted from the
// horizon.
func (f *filter) withHorizon(b record.Batch, records []byte, aborted bool) (record.Batch, error) {
	f.write.Begin(b)
	f.write.SetDeleteHorizon(f.horizon)
	if err := b.Scan(records, func(r record.Raw) error {
		if !aborted && f.stays(r, b.BaseOffset()+int64(r.OffsetDelta), true) {
			f.write.Keep(r)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return f.finish(b)
}

// empty is what stays of a batch without records.
func (f *filter) empty(b record.Batch) (record.Batch, error) {
	f.dropped += int64(b.Count())
	if !f.isLast(b) {
		return nil, nil
	}
	if b.Count() == 0 {
		return b, nil
	}
	f.write.Begin(b)
	return f.write.Finish()
}

// isLast reports whether a batch is what tells its producer's next sequence.
func (f *filter) isLast(b record.Batch) bool {
	if b.ProducerID() < 0 {
		return false
	}
	last, ok := f.last(b.ProducerID())
	if !ok || last.Unknown {
		return ok
	}
	if last.LastOffset < 0 {
		return b.IsControl() && b.ProducerEpoch() == last.Epoch
	}
	return b.LastOffset() == last.LastOffset
}

// control decides on a transaction marker: it stays while the transaction has
// records, and then until its delete horizon.
func (f *filter) control(b record.Batch, records []byte) (record.Batch, error) {
	alone := f.txns.marker(b, records)
	at, hasHorizon := b.DeleteHorizon()
	switch {
	case b.Count() == 0:
		return f.empty(b)
	case !alone || b.LastOffset() >= f.end:
		return b, nil
	case !hasHorizon:
		f.write.Begin(b)
		f.write.SetDeleteHorizon(f.horizon)
		if err := b.Scan(records, func(r record.Raw) error { f.write.Keep(r); return nil }); err != nil {
			return nil, err
		}
		return f.write.Finish()
	case f.now < at:
		return b, nil
	}
	return f.empty(b)
}
