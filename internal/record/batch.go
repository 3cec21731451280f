package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// HeaderSize is the size of a batch without records.
const HeaderSize = 61

// lengthPrefix is the part of a batch that its length field does not count.
const lengthPrefix = 12

// Positions of the header's fields.
const (
	atBaseOffset      = 0
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atBaseTimestamp   = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atCount           = 57
)

const (
	codecMask        = 0x07
	logAppendTimeBit = 1 << 3
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
	deleteHorizonBit = 1 << 6

	currentMagic     = 2
	noLeaderEpoch    = -1
	recordAttributes = 0 // unused in version 2
	smallestRecord   = 7 // length, attributes, two deltas, two lengths, header count
	maxBatchBytes    = 1<<31 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is exactly one record batch, bytes as on the wire and on disk.
type Batch []byte

// Next cuts the batch off that b begins with. It looks at framing only: the
// length lies within b and holds a header. An empty b is an error too, so a
// loop over batches ends on len(rest) == 0.
func Next(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) < lengthPrefix {
		return nil, b, fmt.Errorf("%w: %d bytes do not hold a length", ErrShort, len(b))
	}
	length := int64(int32(binary.BigEndian.Uint32(b[atLength:])))
	size := length + lengthPrefix
	switch {
	case size > int64(len(b)):
		return nil, b, Batch(b).fault(ErrShort, "length field says %d bytes, %d are there", size, len(b))
	case size <= atMagic:
		return nil, b, Batch(b).fault(ErrCorrupt, "length field %d", length)
	case size < HeaderSize:
		// The small messages of formats 0 and 1 land here: they are intact,
		// but not welcome (KIP-724).
		if magic := int8(b[atMagic]); magic == 0 || magic == 1 {
			return nil, b, Batch(b).fault(ErrInvalid, "magic %d, only %d is accepted", magic, currentMagic)
		}
		return nil, b, Batch(b).fault(ErrCorrupt, "length field %d is below a header's %d", length, HeaderSize-lengthPrefix)
	}
	return Batch(b[:size:size]), b[size:], nil
}

// BaseOffset is the offset of the first record.
func (b Batch) BaseOffset() int64 { return b.int64(atBaseOffset) }

// Size is the batch's length in bytes by its length field.
func (b Batch) Size() int { return int(b.int32(atLength)) + lengthPrefix }

// LeaderEpoch is the epoch of the leader that appended the batch; -1 from a
// producer.
func (b Batch) LeaderEpoch() int32 { return b.int32(atLeaderEpoch) }

// Magic is the format's version, 2.
func (b Batch) Magic() int8 { return int8(b[atMagic]) }

// CRC is the checksum that the header claims.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[atCRC:]) }

// Attributes are the header's flags.
func (b Batch) Attributes() int16 { return b.int16(atAttributes) }

// Codec is how the records are compressed.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecMask) }

// LastOffsetDelta is the last record's offset less the base offset. It
// outlives compaction: the last record may be gone.
func (b Batch) LastOffsetDelta() int32 { return b.int32(atLastOffsetDelta) }

// LastOffset is the offset of the last record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// BaseTimestamp is the first record's timestamp, in milliseconds.
func (b Batch) BaseTimestamp() int64 { return b.int64(atBaseTimestamp) }

// MaxTimestamp is the largest timestamp, or with LogAppendTime the time of
// the append, in milliseconds.
func (b Batch) MaxTimestamp() int64 { return b.int64(atMaxTimestamp) }

// ProducerID is -1 for a producer without idempotence.
func (b Batch) ProducerID() int64 { return b.int64(atProducerID) }

// ProducerEpoch tells incarnations of one producer id apart.
func (b Batch) ProducerEpoch() int16 { return b.int16(atProducerEpoch) }

// BaseSequence is the producer's number of the first record.
func (b Batch) BaseSequence() int32 { return b.int32(atBaseSequence) }

// Count is the number of records. Compaction lowers it, down to 0.
func (b Batch) Count() int32 { return b.int32(atCount) }

// IsControl reports a batch that holds a transaction marker.
func (b Batch) IsControl() bool { return b.Attributes()&controlBit != 0 }

// IsTransactional reports a batch that belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.Attributes()&transactionalBit != 0 }

// LogAppendTime reports that all records carry MaxTimestamp as theirs.
func (b Batch) LogAppendTime() bool { return b.Attributes()&logAppendTimeBit != 0 }

// DeleteHorizon is the time, in milliseconds, from which compaction may drop
// the batch's delete markers, or its transaction marker (KIP-534). It takes
// the place of the base timestamp.
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	return b.BaseTimestamp(), b.Attributes()&deleteHorizonBit != 0
}

// Payload is what follows the header: records, or a compressed block.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// Stamp sets what the leader assigns. Both fields lie outside the CRC.
func (b Batch) Stamp(baseOffset int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b[atBaseOffset:], uint64(baseOffset))
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], uint32(leaderEpoch))
}

// SetLogAppendTime makes ms the timestamp of every record and computes the
// CRC anew.
func (b Batch) SetLogAppendTime(ms int64) {
	binary.BigEndian.PutUint16(b[atAttributes:], uint16(b.Attributes()|logAppendTimeBit))
	binary.BigEndian.PutUint64(b[atMaxTimestamp:], uint64(ms))
	b.setCRC()
}

func (b Batch) setCRC() { binary.BigEndian.PutUint32(b[atCRC:], b.checksum()) }

// checksum computes the CRC over everything below the CRC field.
func (b Batch) checksum() uint32 { return crc32.Checksum(b[atAttributes:], castagnoli) }

func (b Batch) int16(at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }
func (b Batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) int64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }

// String shows the header on one line, for errors and tools.
func (b Batch) String() string {
	if len(b) < HeaderSize {
		return fmt.Sprintf("short batch of %d bytes", len(b))
	}
	return fmt.Sprintf("offsets %d-%d epoch %d count %d codec %v producer %d/%d seq %d size %d",
		b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.Count(), b.Codec(),
		b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.Size())
}
