package record

import "encoding/binary"

// Raw is one record of an expanded payload, without its headers decoded.
type Raw struct {
	OffsetDelta int32
	Timestamp   int64  // milliseconds since the epoch
	Key         []byte // nil means null
	Tombstone   bool   // the value is null
	// Bytes are the whole record as it stands in the payload.
	Bytes []byte
}

// Scan visits the records of an expanded payload ([Decompressor.Expand]) and
// allocates nothing. It ends at the first error, of the payload or of visit.
func (b Batch) Scan(payload []byte, visit func(Raw) error) error {
	w := walk{rest: payload}
	base, appendTime := b.BaseTimestamp(), b.LogAppendTime()
	for i, n := int32(0), b.Count(); i < n; i++ {
		whole := w.rest
		body, problem := w.frame()
		if problem != "" {
			return b.fault(ErrInvalid, "record %d: %s", i, problem)
		}
		r := Raw{Bytes: whole[:len(whole)-len(w.rest)]}
		if problem = r.read(body, base); problem != "" {
			return b.fault(ErrInvalid, "record %d: %s", i, problem)
		}
		if appendTime {
			r.Timestamp = b.MaxTimestamp()
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	if len(w.rest) > 0 {
		return b.fault(ErrInvalid, "%d bytes follow the last record", len(w.rest))
	}
	return nil
}

// read takes what a Raw has of a record's body.
func (r *Raw) read(body []byte, base int64) (problem string) {
	f := fields{rest: body[1:]} // past the attributes
	r.Timestamp = base + f.varint()
	delta := f.varint()
	if r.OffsetDelta = int32(delta); int64(r.OffsetDelta) != delta || delta < 0 {
		f.fail("offset delta is out of range")
	}
	r.Key = f.bytes(true)
	r.Tombstone = f.bytes(true) == nil
	return f.problem
}

// Rewriter makes a batch with some of another's records: same offsets, same
// producer, same codec. It uses its memory again and serves one goroutine.
//
//	w.Begin(batch)
//	w.SetDeleteHorizon(ms)       // where it is due
//	w.Keep(raw)                  // for each record that stays, in order
//	smaller, err := w.Finish()   // valid until the next Begin
type Rewriter struct {
	from    Batch
	base    int64 // timestamp that the deltas are counted from
	horizon bool
	count   int32
	max     int64
	plain   []byte // room for a header, then the records kept
	packed  []byte

	compressor Compressor
}

// Begin starts the rewriting of a batch, which must stay as it is until Finish.
func (w *Rewriter) Begin(b Batch) {
	w.from, w.base, w.horizon = b, b.BaseTimestamp(), false
	w.count, w.max = 0, -1
	w.plain = append(w.plain[:0], make([]byte, HeaderSize)...)
}

// SetDeleteHorizon gives the batch a delete horizon (KIP-534). It stands where
// the base timestamp stood, so the records' timestamps are counted from it.
func (w *Rewriter) SetDeleteHorizon(ms int64) { w.base, w.horizon = ms, true }

// Keep adds a record of the batch.
func (w *Rewriter) Keep(r Raw) {
	w.count++
	w.max = max(w.max, r.Timestamp)
	if !w.horizon {
		w.plain = append(w.plain, r.Bytes...)
		return
	}
	_, prefix := varint(r.Bytes)
	body := r.Bytes[prefix:]
	delta, size := varint(body[1:])
	delta += w.from.BaseTimestamp() - w.base
	rest := body[1+size:]
	w.plain = appendVarint(w.plain, int64(1+varintSize(delta)+len(rest)))
	w.plain = append(w.plain, body[0])
	w.plain = appendVarint(w.plain, delta)
	w.plain = append(w.plain, rest...)
}

// Count is how many records were kept.
func (w *Rewriter) Count() int { return int(w.count) }

// Finish returns the batch. One without records keeps the largest timestamp
// that it had; sequences, epochs and the last offset are as they were in any
// case.
func (w *Rewriter) Finish() (Batch, error) {
	out, codec := w.plain, w.from.Codec()
	if codec != None && w.count > 0 {
		var err error
		w.packed = append(w.packed[:0], make([]byte, HeaderSize)...)
		if w.packed, err = w.compressor.Append(w.packed, codec, w.plain[HeaderSize:]); err != nil {
			return nil, err
		}
		out = w.packed
	}
	if w.count == 0 {
		codec = None // There is nothing to decompress.
	}
	b := Batch(out[:len(out):len(out)])
	copy(b, w.from[:HeaderSize])
	be := binary.BigEndian
	be.PutUint32(b[atLength:], uint32(len(b)-lengthPrefix))
	attributes := w.from.Attributes()&^codecMask | int16(codec)
	if w.horizon {
		attributes |= deleteHorizonBit
	}
	be.PutUint16(b[atAttributes:], uint16(attributes))
	be.PutUint64(b[atBaseTimestamp:], uint64(w.base))
	if w.count > 0 && !w.from.LogAppendTime() {
		be.PutUint64(b[atMaxTimestamp:], uint64(w.max))
	}
	be.PutUint32(b[atCount:], uint32(w.count))
	b.setCRC()
	return b, nil
}

// Recompress returns the batch with its records in another codec. They were
// expanded by a [Decompressor]. The batch is appended to dst.
func (c *Compressor) Recompress(dst []byte, b Batch, expanded []byte, codec Codec, level int) (Batch, error) {
	at := len(dst)
	dst, err := c.AppendLevel(append(dst, b[:HeaderSize]...), codec, level, expanded)
	if err != nil {
		return nil, err
	}
	out := Batch(dst[at:len(dst):len(dst)])
	binary.BigEndian.PutUint32(out[atLength:], uint32(len(out)-lengthPrefix))
	binary.BigEndian.PutUint16(out[atAttributes:], uint16(b.Attributes()&^codecMask|int16(codec)))
	out.setCRC()
	return out, nil
}
