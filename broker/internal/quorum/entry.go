package quorum

import (
	"encoding/binary"
	"fmt"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/record"
	"go.etcd.io/raft/v3/raftpb"
)

// Versions of the frame around an entry and of the payload in it.
const (
	frameVersion   = 0
	payloadVersion = 0
)

// maxEntry bounds an entry's payload. What one request can ask for stays
// below (controller: 10,000 partitions); so does a restart, which changes
// every partition of a broker, up to several 100,000 of them.
const maxEntry = 16 << 20

// frame is what the value of an entry's record holds.
type frame struct {
	kind raftpb.EntryType
	// index and term stand here again, because the batch's own lie outside
	// its CRC.
	index, term uint64
	// durable is the offset below which this node's log was synced when the
	// entry was written. It is this node's own and differs between replicas.
	durable int64
	data    []byte
}

func (f frame) append(b []byte) []byte {
	b = append(b, frameVersion, byte(f.kind))
	b = binary.AppendUvarint(b, f.index)
	b = binary.AppendUvarint(b, f.term)
	b = binary.AppendUvarint(b, uint64(f.durable))
	return append(b, f.data...)
}

func parseFrame(b []byte) (frame, error) {
	if len(b) < 2 {
		return frame{}, fmt.Errorf("%w: an entry of %d bytes", ErrCorrupt, len(b))
	}
	if b[0] > frameVersion {
		return frame{}, fmt.Errorf("%w: entry frame of version %d", metadata.ErrNewer, b[0])
	}
	r := reader{b: b[2:]}
	f := frame{kind: raftpb.EntryType(b[1]), index: r.uvarint(), term: r.uvarint(), durable: int64(r.uvarint())}
	if f.data = r.b; r.failed || f.durable < 0 || f.kind > raftpb.EntryConfChangeV2 {
		return frame{}, fmt.Errorf("%w: entry frame of type %d", ErrCorrupt, f.kind)
	}
	return f, nil
}

// entryOf reads the entry out of a batch of the log. Its data aliases the
// batch.
func entryOf(b record.Batch) (*raftpb.Entry, frame, error) {
	if b.Count() != 1 || b.LastOffsetDelta() != 0 || b.LeaderEpoch() < 0 {
		return nil, frame{}, fmt.Errorf("%w: the batch at offset %d has %d records and leader epoch %d; an entry has one record", ErrCorrupt, b.BaseOffset(), b.Count(), b.LeaderEpoch())
	}
	for r, err := range b.Records() {
		if err != nil {
			return nil, frame{}, err
		}
		f, err := parseFrame(r.Value)
		if err != nil {
			return nil, frame{}, fmt.Errorf("offset %d: %w", b.BaseOffset(), err)
		}
		if f.index != uint64(b.BaseOffset()) || f.term != uint64(b.LeaderEpoch()) {
			return nil, frame{}, fmt.Errorf("%w: the entry of index %d and term %d stands at offset %d with leader epoch %d", ErrCorrupt, f.index, f.term, b.BaseOffset(), b.LeaderEpoch())
		}
		return &raftpb.Entry{
			Index: new(uint64(b.BaseOffset())), Term: new(uint64(b.LeaderEpoch())), Type: f.kind.Enum(), Data: f.data,
		}, f, nil
	}
	return nil, frame{}, fmt.Errorf("%w: the batch at offset %d is empty", ErrCorrupt, b.BaseOffset())
}

// batchOf makes the batch of an entry. It is valid until the builder is used
// again.
func batchOf(builder *record.Builder, e *raftpb.Entry, durable, now int64) (record.Batch, error) {
	builder.Reset()
	builder.Append(record.Record{
		Timestamp: now,
		Value:     frame{e.GetType(), e.GetIndex(), e.GetTerm(), durable, e.Data}.append(nil),
	})
	b, err := builder.Build()
	if err != nil {
		return nil, err
	}
	b.Stamp(int64(e.GetIndex()), int32(e.GetTerm()))
	return b, nil
}

// appendPayload encodes the records of a normal entry, after the epoch of the
// controller that decided them. Raft's own empty entries have no payload.
func appendPayload(b []byte, epoch uint64, records []metadata.Record) []byte {
	b = append(b, payloadVersion)
	b = binary.AppendUvarint(b, epoch)
	b = binary.AppendUvarint(b, uint64(len(records)))
	for _, r := range records {
		b = metadata.Append(b, r)
	}
	return b
}

// payload is a decoded normal entry.
type payload struct {
	epoch   uint64
	records []metadata.Record
}

func parsePayload(b []byte) (payload, error) {
	if len(b) == 0 {
		return payload{}, nil
	}
	if b[0] > payloadVersion {
		return payload{}, fmt.Errorf("%w: entry payload of version %d", metadata.ErrNewer, b[0])
	}
	epoch, n := binary.Uvarint(b[1:])
	count, m := uint64(0), 0
	if n > 0 {
		count, m = binary.Uvarint(b[1+n:])
	}
	if n <= 0 || m <= 0 {
		return payload{}, fmt.Errorf("%w: an entry's payload is cut short", ErrCorrupt)
	}
	p := payload{epoch: epoch}
	for rest := b[1+n+m:]; len(rest) > 0; {
		r, after, err := metadata.Next(rest)
		if err != nil {
			return payload{}, err
		}
		p.records, rest = append(p.records, r), after
	}
	if uint64(len(p.records)) != count {
		return payload{}, fmt.Errorf("%w: an entry claims %d records and has %d", ErrCorrupt, count, len(p.records))
	}
	return p, nil
}
