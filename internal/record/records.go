package record

import "iter"

// Record is one record of a batch. Key, Value and Headers alias the batch, or
// the buffer it was expanded into; nil means null.
type Record struct {
	OffsetDelta int32 // the record's offset less the batch's base offset
	Timestamp   int64 // milliseconds since the epoch
	Key, Value  []byte
	Headers     []Header
}

// Header is one header of a record. A nil Value means null.
type Header struct {
	Key   string
	Value []byte
}

// Records iterates over the records of a batch that passed CheckStored or
// Check. Decompression is bounded as [Decompressor] says. The first error ends
// the iteration.
func (b Batch) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		payload := b.Payload()
		if b.Codec() != None {
			var d Decompressor
			defer d.Close()
			var err error
			if payload, err = d.Expand(b); err != nil {
				yield(Record{}, err)
				return
			}
		}
		b.each(payload, yield)
	}
}

// each yields the records of an expanded payload.
func (b Batch) each(payload []byte, yield func(Record, error) bool) {
	if n := int64(b.Count()); n*smallestRecord > int64(len(payload)) {
		yield(Record{}, b.fault(ErrInvalid, "%d records do not fit %d bytes", n, len(payload)))
		return
	}
	w := walk{rest: payload}
	base, appendTime := b.BaseTimestamp(), b.LogAppendTime()
	for i, n := int32(0), b.Count(); i < n; i++ {
		r, problem := w.record(base)
		if problem != "" {
			yield(Record{}, b.fault(ErrInvalid, "record %d: %s", i, problem))
			return
		}
		if appendTime {
			r.Timestamp = b.MaxTimestamp()
		}
		if !yield(r, nil) {
			return
		}
	}
	if len(w.rest) > 0 {
		yield(Record{}, b.fault(ErrInvalid, "%d bytes follow the last record", len(w.rest)))
	}
}

// record takes one record off.
func (w *walk) record(baseTimestamp int64) (r Record, problem string) {
	body, problem := w.frame()
	if problem != "" {
		return r, problem
	}
	f := fields{rest: body[1:]} // past the attributes
	r.Timestamp = baseTimestamp + f.varint()
	delta := f.varint()
	r.OffsetDelta = int32(delta)
	if int64(r.OffsetDelta) != delta || delta < 0 {
		f.fail("offset delta is out of range")
	}
	r.Key = f.bytes(true)
	r.Value = f.bytes(true)
	if n := f.count(); n > 0 {
		r.Headers = make([]Header, n)
		for i := range r.Headers {
			r.Headers[i] = Header{Key: string(f.bytes(false)), Value: f.bytes(true)}
		}
	}
	if f.problem == "" && len(f.rest) > 0 {
		return r, "fields end before the record's length"
	}
	return r, f.problem
}
