package record_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/millrace-io/millrace/internal/record"
)

func put16(at int, v int16) func(record.Batch) {
	return func(b record.Batch) { binary.BigEndian.PutUint16(b[at:], uint16(v)) }
}

func put32(at int, v int32) func(record.Batch) {
	return func(b record.Batch) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
}

// Each row damages a good batch; sealed rows get a CRC that fits, as a client
// with a bug would send it.
func TestBadBatchIsRefused(t *testing.T) {
	rows := []struct {
		name   string
		damage func(record.Batch)
		sealed bool
		want   error
	}{
		{"B1/flipped bit in a value", func(b record.Batch) { b[len(b)-3] ^= 1 }, false, record.ErrCorrupt},
		{"B1/flipped bit in the CRC", func(b record.Batch) { b[18] ^= 0x80 }, false, record.ErrCorrupt},
		{"B1/flipped bit in the attributes", func(b record.Batch) { b[22] ^= 0x20 }, false, record.ErrCorrupt},
		{"B2/magic 0", func(b record.Batch) { b[16] = 0 }, false, record.ErrInvalid},
		{"B2/magic 1", func(b record.Batch) { b[16] = 1 }, false, record.ErrInvalid},
		{"B2/magic 3", func(b record.Batch) { b[16] = 3 }, false, record.ErrInvalid},
		{"B3/count 0", put32(57, 0), true, record.ErrInvalid},
		{"B3/count -1", put32(57, -1), true, record.ErrInvalid},
		{"B3/count one too low", put32(57, 3), true, record.ErrInvalid},
		{"B3/count beyond the bytes", func(b record.Batch) { put32(57, math.MaxInt32)(b); put32(23, math.MaxInt32-1)(b) }, true, record.ErrInvalid},
		{"B3/last offset delta too high", put32(23, 4), true, record.ErrInvalid},
		{"B3/last offset delta negative", put32(23, -1), true, record.ErrInvalid},
		{"B7/codec 5", put16(21, 5), true, record.ErrCodec},
		{"B7/codec 7", put16(21, 7), true, record.ErrCodec},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := build(t, record.None, sample()...)
			row.damage(b)
			if row.sealed {
				reseal(b)
			}
			if err := b.Check(); !errors.Is(err, row.want) {
				t.Errorf("Check: %v, want %v", err, row.want)
			}
		})
	}
}

func TestB4LengthAboveTheBufferOrBelowAHeader(t *testing.T) {
	good := build(t, record.None, sample()...)
	for _, length := range []int32{math.MinInt32, -1, 0, 4, 5, 48, int32(len(good)) - 11, math.MaxInt32} {
		b := slices.Clone(good)
		put32(8, length)(b)
		if _, rest, err := record.Next(b); !errors.Is(err, record.ErrCorrupt) || !bytes.Equal(rest, b) {
			t.Errorf("length %d: %v", length, err)
		}
	}
	for n := range len(good) {
		if _, _, err := record.Next(good[:n]); !errors.Is(err, record.ErrShort) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	longer := append(slices.Clone(good), 0)
	if err := record.Batch(longer).Check(); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("a batch longer than its length: %v", err)
	}
}

func TestB2SmallMessageOfAnOldFormat(t *testing.T) {
	for magic := range byte(2) {
		message := make([]byte, 12+14)
		message[11] = 14
		message[16] = magic
		if _, _, err := record.Next(message); !errors.Is(err, record.ErrInvalid) {
			t.Errorf("magic %d: %v", magic, err)
		}
	}
}

// A zero tail is what ext4 leaves after a power cut: it must not look like an
// intact message of an old format.
func TestZerosAreCorrupt(t *testing.T) {
	if _, _, err := record.Next(make([]byte, 4096)); !errors.Is(err, record.ErrCorrupt) {
		t.Errorf("zeros: %v", err)
	}
}

// rawBatch seals any payload into a batch of n records.
func rawBatch(t testing.TB, codec record.Codec, n int32, payload []byte) record.Batch {
	t.Helper()
	b := append(slices.Clone(build(t, record.None, record.Record{})[:record.HeaderSize]), payload...)
	put32(8, int32(len(b)-12))(b)
	put16(21, int16(codec))(b)
	put32(23, n-1)(b)
	put32(57, n)(b)
	return reseal(b)
}

func varints(vs ...int64) []byte {
	var out []byte
	for _, v := range vs {
		out = binary.AppendVarint(out, v)
	}
	return out
}

func TestB3RecordsThatDoNotAddUp(t *testing.T) {
	// length, attributes, timestamp delta, offset delta, key, value, headers
	good := varints(6, 0, 0, 0, -1, -1, 0)
	second := varints(6, 0, 0, 1, -1, -1, 0)
	rows := []struct {
		name    string
		n       int32
		payload []byte
	}{
		{"B3/fewer records than the count", 2, slices.Concat(varints(14, 0, 0, 0, -1, 8), make([]byte, 9))},
		{"B3/more records than the count", 1, slices.Concat(good, second)},
		{"B3/the same delta twice", 2, slices.Concat(good, good)},
		{"B3/deltas begin at 1", 1, second},
		{"B3/delta beyond int32", 1, varints(10, 0, 0, 1<<32, -1, -1, 0)},
		{"B16/length negative", 1, varints(-6, 0, 0, 0, -1, -1, 0)},
		{"B16/length beyond the batch", 1, varints(7, 0, 0, 0, -1, -1, 0)},
		{"B16/length below the fields", 1, varints(6, 0, 0, 0, -1, 0, 1, 0, 0)},
		{"B16/length above the fields", 1, append(varints(7, 0, 0, 0, -1, -1, 0), 9)},
		{"B16/length of eleven bytes", 1, bytes.Repeat([]byte{0xff}, 16)},
		{"B16/key length beyond the record", 1, varints(6, 0, 0, 0, 50, -1, 0)},
		{"B16/key length -2", 1, varints(6, 0, 0, 0, -2, -1, 0)},
		{"B17/header count 2^31", 1, varints(10, 0, 0, 0, -1, -1, 1<<31)},
		{"B17/header count negative", 1, varints(6, 0, 0, 0, -1, -1, -1)},
		{"B17/header key null", 1, varints(8, 0, 0, 0, -1, -1, 1, -1, -1)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := rawBatch(t, record.None, row.n, row.payload)
			if err := b.Check(); err != nil && !errors.Is(err, record.ErrInvalid) {
				t.Fatalf("the header is meant to pass: %v", err)
			}
			if err := b.CheckRecords(); !errors.Is(err, record.ErrInvalid) {
				t.Errorf("CheckRecords: %v", err)
			}
		})
	}
	if err := rawBatch(t, record.None, 2, slices.Concat(good, second)).CheckRecords(); err != nil {
		t.Errorf("the rows' good records: %v", err)
	}
}

func expandError(b record.Batch) error {
	for _, err := range b.Records() {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestB8ExpansionIsBounded(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	bomb := rawBatch(t, record.Zstd, 1, enc.EncodeAll(make([]byte, 64<<20), nil))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := expandError(bomb); !errors.Is(err, record.ErrTooLarge) || !errors.Is(err, record.ErrInvalid) {
		t.Errorf("64 MiB out of %d bytes: %v", len(bomb), err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 24<<20 {
		t.Errorf("refusing the bomb took %d MiB", took>>20)
	}
	// A snappy block that only claims to be large must fail before memory is
	// taken for it.
	claim := binary.AppendUvarint(nil, 15<<20)
	if err := expandError(rawBatch(t, record.Snappy, 1, claim)); !errors.Is(err, record.ErrInvalid) {
		t.Errorf("a claim of 15 MiB in 4 bytes: %v", err)
	}
	// Many small equal records compress far better than any bound on the
	// ratio, and are welcome.
	same := make([]record.Record, 10_000)
	for i := range same {
		same[i].Value = []byte("the same again")
	}
	if err := expandError(build(t, record.Zstd, same...)); err != nil {
		t.Errorf("10,000 equal records: %v", err)
	}
}

func TestExpansionEndsWhereThePayloadDoes(t *testing.T) {
	for _, codec := range codecs[1:] {
		b := build(t, codec, sample()...)
		for cut := record.HeaderSize; cut < len(b); cut += 7 {
			if err := expandError(rawBatch(t, codec, 4, b[record.HeaderSize:cut])); err == nil {
				t.Errorf("%v: cut after %d of %d bytes and no error", codec, cut, len(b))
			}
		}
		if codec == record.Gzip { // a second member is no part of a batch
			twice := slices.Concat(b.Payload(), b.Payload())
			if err := expandError(rawBatch(t, codec, 4, twice)); !errors.Is(err, record.ErrInvalid) {
				t.Errorf("two members: %v", err)
			}
		}
	}
}

func TestXerialSnappyIsRead(t *testing.T) {
	want := sample()
	plain := build(t, record.None, want...).Payload()
	framed := append([]byte("\x82SNAPPY\x00"), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(plain) > 0 { // Java's default block is 32 KiB; small ones here, so that there are several
		n := min(len(plain), 1000)
		block := snappyLiteral(plain[:n])
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(block)))
		framed = append(framed, block...)
		plain = plain[n:]
	}
	got := collect(t, rawBatch(t, record.Snappy, 4, framed))
	if len(got) != 4 || !bytes.Equal(got[3].Value, want[3].Value) {
		t.Errorf("read %d records", len(got))
	}
	for _, cut := range []int{4, 12, 18, len(framed) - 1} {
		if err := expandError(rawBatch(t, record.Snappy, 4, framed[:cut])); !errors.Is(err, record.ErrInvalid) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
	}
}

// snappyLiteral is a block without compression: its length and one literal.
func snappyLiteral(data []byte) []byte {
	out := binary.AppendUvarint(nil, uint64(len(data)))
	out = append(out, 61<<2, byte(len(data)-1), byte((len(data)-1)>>8))
	return append(out, data...)
}
