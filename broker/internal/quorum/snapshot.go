package quorum

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"go.etcd.io/raft/v3/raftpb"
)

// A snapshot file, all numbers uvarints unless said otherwise:
//
//	"MRSNAP" | version
//	cluster id | index | term | voters | learners | voters outgoing | learners next | auto leave
//	  for each record:  length+1 | CRC-32C of the record, 4 bytes | record
//	0 | number of records | sha256 of everything before, 32 bytes
//
// Lists and the cluster id carry their length. The zero ends the records.
const (
	snapshotMagic   = "MRSNAP"
	snapshotVersion = 0
)

// snapshot is a snapshot in memory: an image and who votes on what follows.
type snapshot struct {
	image *metadata.Image
	conf  *raftpb.ConfState
}

func (s snapshot) index() uint64 { return s.image.Index() }
func (s snapshot) term() uint64  { return s.image.Epoch() }

func (s snapshot) encode() []byte {
	b := append([]byte(snapshotMagic), snapshotVersion)
	b = binary.AppendUvarint(b, uint64(len(s.image.ClusterID())))
	b = append(b, s.image.ClusterID()...)
	b = binary.AppendUvarint(b, s.index())
	b = binary.AppendUvarint(b, s.term())
	for _, ids := range confLists(s.conf) {
		b = binary.AppendUvarint(b, uint64(len(*ids)))
		for _, id := range *ids {
			b = binary.AppendUvarint(b, id)
		}
	}
	b = append(b, flag(s.conf.GetAutoLeave()))
	count := uint64(0)
	var scratch []byte
	for r := range s.image.Records() {
		scratch = metadata.Append(scratch[:0], r)
		b = binary.AppendUvarint(b, uint64(len(scratch))+1)
		b = binary.BigEndian.AppendUint32(b, crc32.Checksum(scratch, castagnoli))
		b = append(b, scratch...)
		count++
	}
	b = binary.AppendUvarint(append(b, 0), count)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func confLists(c *raftpb.ConfState) [4]*[]uint64 {
	return [...]*[]uint64{&c.Voters, &c.Learners, &c.VotersOutgoing, &c.LearnersNext}
}

// decodeSnapshot reads a snapshot file. Its checksums are checked before
// anything else is believed.
func decodeSnapshot(b []byte) (snapshot, error) {
	if len(b) < sha256.Size || !bytes.HasPrefix(b, []byte(snapshotMagic)) {
		return snapshot{}, fmt.Errorf("%w: not a snapshot", ErrCorrupt)
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return snapshot{}, fmt.Errorf("%w: the snapshot's checksum does not match", ErrCorrupt)
	}
	r := &reader{b: body[len(snapshotMagic):]}
	if v := r.uvarint(); v > snapshotVersion {
		return snapshot{}, fmt.Errorf("%w: snapshot of version %d", metadata.ErrNewer, v)
	}
	_ = r.take(r.uvarint()) // The cluster id is for people who look at the file; a record has it too.
	index, term := r.uvarint(), r.uvarint()
	conf := raftpb.EnsureConfState(nil)
	for _, ids := range confLists(conf) {
		for n := r.uvarint(); n > 0 && !r.failed; n-- {
			*ids = append(*ids, r.uvarint())
		}
	}
	conf.AutoLeave = new(r.uvarint() == 1)
	image, err := r.image(index, term)
	return snapshot{image, conf}, err
}

// reader reads a snapshot's body. After a failure it gives zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// image applies the records to an empty image.
func (r *reader) image(index, term uint64) (*metadata.Image, error) {
	d := (&metadata.Image{}).Edit(index, term)
	count := uint64(0)
	for {
		size := r.uvarint()
		if size == 0 {
			break
		}
		sum := r.take(4)
		body := r.take(size - 1)
		if r.failed || binary.BigEndian.Uint32(sum) != crc32.Checksum(body, castagnoli) {
			return nil, fmt.Errorf("%w: record %d of the snapshot", ErrCorrupt, count)
		}
		rec, rest, err := metadata.Next(body)
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("%w: %d bytes follow", metadata.ErrMalformed, len(rest))
		}
		if err == nil {
			err = d.Apply(rec)
		}
		if err != nil {
			return nil, fmt.Errorf("record %d of the snapshot: %w", count, err)
		}
		count++
	}
	if claimed := r.uvarint(); r.failed || claimed != count || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: the snapshot claims %d records and has %d", ErrCorrupt, claimed, count)
	}
	return d.Finish(), nil
}
