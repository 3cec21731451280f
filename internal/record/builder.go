package record

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrEmpty means a Build without records: an empty batch is the work of
// compaction only.
var ErrEmpty = errors.New("record: no records to build a batch of")

// Builder builds one batch after the other and uses its memory again. The
// zero value builds uncompressed batches without a producer. It serves one
// goroutine.
//
//	b.Append(record.Record{Timestamp: ms, Key: k, Value: v})
//	batch, err := b.Build()
//	...
//	b.Reset()
type Builder struct {
	codec      Codec
	attributes int16
	idempotent bool
	producer   int64
	epoch      int16
	sequence   int32

	count     int32
	base, max int64  // timestamps
	plain     []byte // room for a header, then the records
	packed    []byte // room for a header, then the compressed records

	compressor Compressor
}

// SetCodec chooses the compression of the batches built from here on.
func (bl *Builder) SetCodec(c Codec) { bl.codec = c }

// SetProducer makes the next batches idempotent: sequence is that of the
// next batch's first record, and Reset advances it.
func (bl *Builder) SetProducer(id int64, epoch int16, sequence int32) {
	bl.idempotent = true
	bl.producer, bl.epoch, bl.sequence = id, epoch, sequence
}

// SetTransactional marks the next batches as part of a transaction.
func (bl *Builder) SetTransactional(on bool) { bl.set(transactionalBit, on) }

// SetControl marks the next batches as holding control records.
func (bl *Builder) SetControl(on bool) { bl.set(controlBit, on) }

func (bl *Builder) set(bit int16, on bool) {
	bl.attributes &^= bit
	if on {
		bl.attributes |= bit
	}
}

// Len is the number of records appended since the last Reset.
func (bl *Builder) Len() int { return int(bl.count) }

// Size is the uncompressed size of the batch so far.
func (bl *Builder) Size() int { return max(len(bl.plain), HeaderSize) }

// Reset begins the next batch. What Build returned is overwritten.
func (bl *Builder) Reset() {
	if bl.idempotent {
		bl.sequence = NextSequence(bl.sequence, bl.count)
	}
	bl.count = 0
	bl.plain = bl.plain[:0]
}

// NextSequence is the sequence n records after s: from 2^31-1 it goes on at 0.
func NextSequence(s, n int32) int32 {
	return int32((int64(s) + int64(n)) & maxBatchBytes)
}

// Append adds a record. Its offset delta is its place in the batch; the
// record's own is ignored. The bytes are copied.
func (bl *Builder) Append(r Record) {
	if bl.count == 0 {
		bl.plain = append(bl.plain[:0], make([]byte, HeaderSize)...)
		bl.base, bl.max = r.Timestamp, r.Timestamp
	}
	bl.max = max(bl.max, r.Timestamp)
	size := 1 + varintSize(r.Timestamp-bl.base) + varintSize(int64(bl.count)) +
		bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for _, h := range r.Headers {
		size += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	dst := appendVarint(bl.plain, int64(size))
	dst = append(dst, recordAttributes)
	dst = appendVarint(dst, r.Timestamp-bl.base)
	dst = appendVarint(dst, int64(bl.count))
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = appendVarint(dst, int64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = appendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		dst = appendBytes(dst, h.Value)
	}
	bl.plain = dst
	bl.count++
}

// Build completes the batch with base offset 0 and no leader epoch. The
// result is valid until the next Append or Reset.
func (bl *Builder) Build() (Batch, error) {
	if bl.count == 0 {
		return nil, ErrEmpty
	}
	out := bl.plain
	if bl.codec != None {
		var err error
		bl.packed = append(bl.packed[:0], make([]byte, HeaderSize)...)
		if bl.packed, err = bl.compressor.Append(bl.packed, bl.codec, bl.plain[HeaderSize:]); err != nil {
			return nil, err
		}
		out = bl.packed
	}
	if int64(len(out)) > maxBatchBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrInvalid, len(out))
	}
	b := Batch(out[:len(out):len(out)])
	bl.writeHeader(b)
	return b, nil
}

func (bl *Builder) writeHeader(b Batch) {
	be := binary.BigEndian
	be.PutUint32(b[atLength:], uint32(len(b)-lengthPrefix))
	b.Stamp(0, noLeaderEpoch)
	b[atMagic] = currentMagic
	be.PutUint16(b[atAttributes:], uint16(bl.attributes|int16(bl.codec)))
	be.PutUint32(b[atLastOffsetDelta:], uint32(bl.count-1))
	be.PutUint64(b[atBaseTimestamp:], uint64(bl.base))
	be.PutUint64(b[atMaxTimestamp:], uint64(bl.max))
	producer, epoch, sequence := int64(-1), int16(-1), int32(-1)
	if bl.idempotent {
		producer, epoch, sequence = bl.producer, bl.epoch, bl.sequence
	}
	be.PutUint64(b[atProducerID:], uint64(producer))
	be.PutUint16(b[atProducerEpoch:], uint16(epoch))
	be.PutUint32(b[atBaseSequence:], uint32(sequence))
	be.PutUint32(b[atCount:], uint32(bl.count))
	b.setCRC()
}

func appendVarint(dst []byte, v int64) []byte { return binary.AppendVarint(dst, v) }

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return appendVarint(dst, -1)
	}
	return append(appendVarint(dst, int64(len(b))), b...)
}

func varintSize(v int64) int {
	size := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		size++
	}
	return size
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}
