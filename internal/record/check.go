package record

// Check reports whether the header holds what a producer may send: magic,
// CRC, a known codec, at least one record and as many as there are offsets.
// The records are [Batch.CheckRecords]'s.
func (b Batch) Check() error {
	if err := b.CheckStored(); err != nil {
		return err
	}
	if count := b.Count(); count < 1 || b.LastOffsetDelta() != count-1 {
		return b.fault(ErrInvalid, "count is %d and last offset delta %d", count, b.LastOffsetDelta())
	}
	return nil
}

// CheckStored reports whether the header holds what a log may contain: as
// Check, but compaction may have removed any number of records and left their
// offsets.
func (b Batch) CheckStored() error {
	if len(b) < HeaderSize || b.Size() != len(b) {
		return b.shortFault()
	}
	if b.Magic() != currentMagic {
		return b.fault(ErrInvalid, "magic %d, only %d is accepted", b.Magic(), currentMagic)
	}
	if claimed, computed := b.CRC(), b.checksum(); claimed != computed {
		return b.fault(ErrCorrupt, "CRC is %08x, computed %08x", claimed, computed)
	}
	if codec := b.Codec(); codec > Zstd {
		return b.fault(ErrCodec, "%d", codec)
	}
	count, delta := int64(b.Count()), int64(b.LastOffsetDelta())
	if count < 0 || delta < 0 || count > delta+1 {
		return b.fault(ErrInvalid, "count is %d and last offset delta %d", count, delta)
	}
	if b.Codec() == None && count*smallestRecord > int64(len(b)-HeaderSize) {
		return b.fault(ErrInvalid, "%d records do not fit %d bytes", count, len(b)-HeaderSize)
	}
	return nil
}

func (b Batch) shortFault() error {
	if len(b) < lengthPrefix {
		return ErrShort
	}
	return b.fault(ErrShort, "length field says %d bytes, %d are there", b.Size(), len(b))
}

// CheckRecords walks the records of an uncompressed batch: lengths use up the
// payload exactly and offset deltas are 0 to count-1. Of a compressed batch it
// says nothing: opening it costs up to five times the whole produce path, so
// that is done only where a rule needs the records.
func (b Batch) CheckRecords() error {
	if b.Codec() != None {
		return nil
	}
	return b.CheckExpanded(b.Payload())
}

// CheckExpanded is CheckRecords of a payload as [Decompressor.Expand] gives it.
func (b Batch) CheckExpanded(payload []byte) error {
	w := walk{rest: payload}
	for i, n := int32(0), b.Count(); i < n; i++ {
		if problem := w.skip(i); problem != "" {
			return b.fault(ErrInvalid, "record %d at byte %d: %s", i, HeaderSize+len(payload)-len(w.rest), problem)
		}
	}
	if len(w.rest) > 0 {
		return b.fault(ErrInvalid, "%d bytes follow the last record", len(w.rest))
	}
	return nil
}
