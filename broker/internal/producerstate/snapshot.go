package producerstate

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/millrace-io/millrace/internal/record"
)

const (
	snapshotVersion = 1
	snapshotPrefix  = 2 + 4 // version, CRC
	snapshotHeader  = snapshotPrefix + 4
	snapshotEntry   = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendSnapshot appends the state in the format of Kafka's .snapshot files:
//
//	version int16 = 1 | CRC-32C of all below uint32 | count int32
//	count times:
//	  producer id int64 | epoch int16 | last sequence int32 | last offset int64
//	  offset delta int32 | timestamp int64 | coordinator epoch int32
//	  first offset of the open transaction int64, -1 for none
//
// Kafka writes one entry for a producer, its last batch, and after a restart
// knows no older one. We write one for each batch of the window, oldest
// first: Kafka's reader keeps the last it sees of a producer, ours keeps all,
// so a retry that spans a restart is still answered with its offset.
// A producer without a batch in its epoch has one entry of sequence -1, whose
// offset delta, which Kafka's reader ignores, is 0 if a marker began the epoch
// and -1 if nothing else is known of it.
func (s *State) AppendSnapshot(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, snapshotHeader)...)
	count := uint32(0)
	for _, id := range s.ids() {
		p := s.producers[id]
		if p.n == 0 {
			b := Batch{FirstSequence: none, LastSequence: none, LastOffset: none, OffsetDelta: none, Timestamp: p.marked}
			if p.begins {
				b.OffsetDelta = 0
			}
			dst = appendEntry(dst, p, b)
			count++
		}
		for _, b := range p.Window() {
			dst = appendEntry(dst, p, b)
			count++
		}
	}
	out := dst[start:]
	binary.BigEndian.PutUint16(out, snapshotVersion)
	binary.BigEndian.PutUint32(out[snapshotPrefix:], count)
	binary.BigEndian.PutUint32(out[2:], crc32.Checksum(out[snapshotPrefix:], castagnoli))
	return dst
}

// ids are the producers in a fixed order, so that equal states have equal
// snapshots.
func (s *State) ids() []int64 {
	ids := make([]int64, 0, len(s.producers))
	for id := range s.producers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func appendEntry(dst []byte, p *Producer, b Batch) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, uint64(p.ID))
	dst = be.AppendUint16(dst, uint16(p.Epoch))
	dst = be.AppendUint32(dst, uint32(b.LastSequence))
	dst = be.AppendUint64(dst, uint64(b.LastOffset))
	dst = be.AppendUint32(dst, uint32(b.OffsetDelta))
	dst = be.AppendUint64(dst, uint64(b.Timestamp))
	dst = be.AppendUint32(dst, uint32(p.CoordinatorEpoch))
	return be.AppendUint64(dst, uint64(p.TxnFirstOffset))
}

// LoadSnapshot replaces the state by a snapshot's. Producers count as seen at
// now: a restart does not let them expire. On an error the state is empty.
func (s *State) LoadSnapshot(data []byte, now time.Time) error {
	s.Reset()
	if err := checkSnapshot(data); err != nil {
		return err
	}
	for rest := data[snapshotHeader:]; len(rest) > 0; rest = rest[snapshotEntry:] {
		if err := s.loadEntry(rest[:snapshotEntry], now.UnixMilli()); err != nil {
			s.Reset()
			return err
		}
	}
	s.openTxns()
	return nil
}

// openTxns lists the transactions that the producers have open.
func (s *State) openTxns() {
	for _, p := range s.producers {
		if p.TxnFirstOffset != none {
			s.txns.begin(Txn{ProducerID: p.ID, FirstOffset: p.TxnFirstOffset})
		}
	}
	slices.SortFunc(s.txns.open, func(a, b Txn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
}

func checkSnapshot(data []byte) error {
	be := binary.BigEndian
	if len(data) < snapshotHeader {
		return fmt.Errorf("%w: %d bytes", ErrSnapshot, len(data))
	}
	if v := be.Uint16(data); v != snapshotVersion {
		return fmt.Errorf("%w: version %d", ErrSnapshot, v)
	}
	if claimed, computed := be.Uint32(data[2:]), crc32.Checksum(data[snapshotPrefix:], castagnoli); claimed != computed {
		return fmt.Errorf("%w: CRC is %08x, computed %08x", ErrSnapshot, claimed, computed)
	}
	if count, size := be.Uint32(data[snapshotPrefix:]), len(data)-snapshotHeader; uint64(count)*snapshotEntry != uint64(size) {
		return fmt.Errorf("%w: %d entries in %d bytes", ErrSnapshot, count, size)
	}
	return nil
}

func (s *State) loadEntry(e []byte, seen int64) error {
	be := binary.BigEndian
	id, epoch := int64(be.Uint64(e)), int16(be.Uint16(e[8:]))
	p := s.producers[id]
	if p == nil || p.Epoch != epoch {
		p = &Producer{ID: id, Epoch: epoch, marked: none}
		s.producers[id] = p
	}
	p.seen = seen
	p.CoordinatorEpoch = int32(be.Uint32(e[34:]))
	p.TxnFirstOffset = max(int64(be.Uint64(e[38:])), none)
	b := Batch{
		LastSequence: int32(be.Uint32(e[10:])), LastOffset: int64(be.Uint64(e[14:])),
		OffsetDelta: int32(be.Uint32(e[22:])), Timestamp: int64(be.Uint64(e[26:])),
	}
	if b.LastSequence == none {
		p.marked, p.begins = b.Timestamp, b.OffsetDelta == 0
		return nil
	}
	if id < 0 || b.LastSequence < 0 || b.OffsetDelta < 0 || b.LastOffset < int64(b.OffsetDelta) {
		return fmt.Errorf("%w: producer %d: sequence %d, offset %d, delta %d", ErrSnapshot, id, b.LastSequence, b.LastOffset, b.OffsetDelta)
	}
	b.FirstSequence = record.NextSequence(b.LastSequence, -b.OffsetDelta)
	p.push(b)
	p.whole = false // earlier batches are not in the snapshot
	return nil
}
