package record_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/record"
)

var codecs = []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd}

// build returns a batch of its own memory.
func build(t testing.TB, codec record.Codec, records ...record.Record) record.Batch {
	t.Helper()
	var bl record.Builder
	bl.SetCodec(codec)
	for _, r := range records {
		bl.Append(r)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}

func sample() []record.Record {
	return []record.Record{
		{Timestamp: 1_700_000_000_000, Key: []byte("k"), Value: []byte("first")},
		{Timestamp: 1_699_999_999_000, Key: nil, Value: []byte{}}, // older than the first
		{Timestamp: 1_700_000_007_000, Key: []byte{}, Value: nil, Headers: []record.Header{
			{Key: "h", Value: []byte("v")}, {Key: "", Value: nil}, {Key: "e", Value: []byte{}},
		}},
		{Timestamp: 1_700_000_000_001, Key: []byte("big"), Value: bytes.Repeat([]byte("x"), 5000)},
	}
}

// reseal computes the CRC anew after a field was changed on purpose.
func reseal(b record.Batch) record.Batch {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func collect(t testing.TB, b record.Batch) []record.Record {
	t.Helper()
	var out []record.Record
	for r, err := range b.Records() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestEveryCodecGivesBackWhatWasAppended(t *testing.T) {
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			want := sample()
			b := build(t, codec, want...)
			if err := b.Check(); err != nil {
				t.Fatal(err)
			}
			if err := b.CheckRecords(); err != nil {
				t.Fatal(err)
			}
			if b.Codec() != codec || b.Count() != 4 || b.MaxTimestamp() != 1_700_000_007_000 {
				t.Errorf("header: %v, max timestamp %d", b, b.MaxTimestamp())
			}
			got := collect(t, b)
			for i := range want {
				want[i].OffsetDelta = int32(i)
				if !equalRecords(got[i], want[i]) {
					t.Errorf("record %d: %+v, want %+v", i, got[i], want[i])
				}
			}
		})
	}
}

// equalRecords tells null from empty, which consumers see too: a null value
// is a tombstone.
func equalRecords(a, b record.Record) bool {
	same := func(x, y []byte) bool { return (x == nil) == (y == nil) && bytes.Equal(x, y) }
	return a.OffsetDelta == b.OffsetDelta && a.Timestamp == b.Timestamp && same(a.Key, b.Key) && same(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y record.Header) bool { return x.Key == y.Key && same(x.Value, y.Value) })
}

func TestHeaderIsWhatKafkaReads(t *testing.T) {
	var bl record.Builder
	bl.SetProducer(4711, 3, 1<<31-2)
	bl.SetTransactional(true)
	for range 3 {
		bl.Append(record.Record{Timestamp: 1000, Value: []byte("v")})
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	b.Stamp(1<<40, 17)
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if k.FirstOffset != 1<<40 || k.PartitionLeaderEpoch != 17 || k.Magic != 2 || k.Attributes != 1<<4 ||
		k.LastOffsetDelta != 2 || k.ProducerID != 4711 || k.ProducerEpoch != 3 || k.FirstSequence != 1<<31-2 || k.NumRecords != 3 {
		t.Errorf("kmsg reads %+v", k)
	}
	if uint32(k.CRC) != b.CRC() || b.Check() != nil {
		t.Error("the stamp touched what the CRC covers")
	}
	if b.LastOffset() != 1<<40+2 || !b.IsTransactional() || b.IsControl() {
		t.Errorf("accessors: %v", b)
	}
	bl.Reset()
	bl.Append(record.Record{})
	if next, _ := bl.Build(); next.BaseSequence() != 1 {
		t.Errorf("sequence after 2^31-2 and 3 records: %d, want 1", next.BaseSequence())
	}
}

func TestLogAppendTimeReplacesEveryTimestamp(t *testing.T) {
	b := build(t, record.Gzip, sample()...)
	b.SetLogAppendTime(42)
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	if !b.LogAppendTime() || b.MaxTimestamp() != 42 || b.Codec() != record.Gzip {
		t.Errorf("header: %v", b)
	}
	for _, r := range collect(t, b) {
		if r.Timestamp != 42 {
			t.Errorf("record %d has timestamp %d", r.OffsetDelta, r.Timestamp)
		}
	}
}

func TestNextCutsBatchesOffOneByOne(t *testing.T) {
	one, two := build(t, record.None, sample()...), build(t, record.Zstd, sample()[0])
	stream := slices.Concat(one, two)
	b, rest, err := record.Next(stream)
	if err != nil || !bytes.Equal(b, one) {
		t.Fatalf("first: %v, %v", b, err)
	}
	if cap(b) != len(b) {
		t.Error("an append to the first batch would write into the second")
	}
	if b, rest, err = record.Next(rest); err != nil || !bytes.Equal(b, two) || len(rest) != 0 {
		t.Fatalf("second: %v, %d left, %v", b, len(rest), err)
	}
}

// A partition's records are one batch (B5): what is left over tells.
func TestB5SecondBatchIsLeftOver(t *testing.T) {
	one := build(t, record.None, sample()...)
	if _, rest, err := record.Next(slices.Concat(one, one)); err != nil || len(rest) != len(one) {
		t.Errorf("%d bytes are left over, %v", len(rest), err)
	}
}

func TestNoBatchOfNothing(t *testing.T) {
	var bl record.Builder
	if _, err := bl.Build(); !errors.Is(err, record.ErrEmpty) {
		t.Errorf("built from nothing: %v", err)
	}
}

func TestStoredBatchMayHaveLostRecords(t *testing.T) {
	b := build(t, record.None, sample()...)
	binary.BigEndian.PutUint32(b[23:], 9) // as after compaction: ten offsets, four records
	reseal(b)
	if err := b.CheckStored(); err != nil {
		t.Errorf("stored: %v", err)
	}
	if err := b.Check(); !errors.Is(err, record.ErrInvalid) {
		t.Errorf("from a producer: %v", err)
	}
	if empty := reseal(emptied(b)); empty.CheckStored() != nil {
		t.Errorf("an emptied batch is kept for its sequence: %v", empty.CheckStored())
	}
}

func emptied(b record.Batch) record.Batch {
	e := slices.Clone(b[:record.HeaderSize])
	binary.BigEndian.PutUint32(e[8:], record.HeaderSize-12)
	binary.BigEndian.PutUint32(e[57:], 0)
	return e
}
