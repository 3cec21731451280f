package replica_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// records builds one batch.
func records(t fatal, codec record.Codec, list ...record.Record) record.Batch {
	t.Helper()
	var bl record.Builder
	bl.SetCodec(codec)
	for _, r := range list {
		bl.Append(r)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}

// at are records without keys, at these distances from the clock.
func at(ages ...time.Duration) (list []record.Record) {
	for _, age := range ages {
		list = append(list, record.Record{Timestamp: start.Add(age).UnixMilli(), Value: []byte("v")})
	}
	return list
}

// refusedRecords are the places of the records that an error names.
func refusedRecords(err error) (places []int32) {
	if bad, ok := errors.AsType[*replica.RecordsError](err); ok {
		for _, r := range bad.Records {
			places = append(places, r.Index)
		}
	}
	return places
}

func forEachCodec(t *testing.T, run func(*testing.T, record.Codec)) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		t.Run(codec.String(), func(t *testing.T) { run(t, codec) })
	}
}

// B10 is the same: a record without a key could never be compacted away.
func TestItem21_NullKeyOnACompactedTopic(t *testing.T) {
	forEachCodec(t, func(t *testing.T, codec record.Codec) {
		w := newWorld(vfs.NewMem())
		p := w.lead(t, replica.Config{Compact: true}, 1)
		keyed, empty, null := record.Record{Key: []byte("k")}, record.Record{Key: []byte{}}, record.Record{Value: []byte("v")}
		_, err := p.Append(records(t, codec, keyed, null, empty, null), anyEpoch)
		if !errors.Is(err, replica.ErrInvalidRecord) || !slices.Equal(refusedRecords(err), []int32{1, 3}) {
			t.Errorf("%v names records %v, want 1 and 3", err, refusedRecords(err))
		}
		if p.LogEnd() != 0 {
			t.Errorf("the log ends at %d", p.LogEnd())
		}
		mustAppend(t, p, records(t, codec, keyed, empty))
		internal := anyEpoch
		internal.Internal = true
		if _, err := p.Append(records(t, record.None, null), internal); err != nil {
			t.Errorf("the broker's own batch: %v", err)
		}
	})
}

// B11 is the same.
func TestItem23_TimestampBounds(t *testing.T) {
	forever := time.Duration(math.MaxInt64)
	for _, row := range []struct {
		name   string
		bounds replica.TimestampBounds
		ages   []time.Duration
		want   []int32
	}{
		{"Kafka's defaults take what is old", replica.TimestampBounds{Before: forever, After: time.Hour}, []time.Duration{-50 * 365 * 24 * time.Hour, 0, time.Hour}, nil},
		{"too far ahead", replica.TimestampBounds{Before: forever, After: time.Hour}, []time.Duration{0, time.Hour + time.Millisecond, -1, 10 * 365 * 24 * time.Hour}, []int32{1, 3}},
		{"too old", replica.TimestampBounds{Before: time.Minute, After: time.Hour}, []time.Duration{0, -time.Minute, -time.Minute - time.Millisecond}, []int32{2}},
		{"no bounds", replica.TimestampBounds{Before: forever, After: forever}, []time.Duration{-time.Hour, 100 * 365 * 24 * time.Hour}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			forEachCodec(t, func(t *testing.T, codec record.Codec) {
				w := newWorld(vfs.NewMem())
				p := w.lead(t, replica.Config{Timestamps: &row.bounds}, 1)
				_, err := p.Append(records(t, codec, at(row.ages...)...), anyEpoch)
				if got := refusedRecords(err); !slices.Equal(got, row.want) || errors.Is(err, replica.ErrInvalidTimestamp) != (row.want != nil) {
					t.Errorf("%v names records %v, want %v", err, got, row.want)
				}
				if err == nil && p.LogEnd() != int64(len(row.ages)) || err != nil && p.LogEnd() != 0 {
					t.Errorf("the log ends at %d after %v", p.LogEnd(), err)
				}
				if row.want != nil {
					p.Configure(replica.Config{Timestamps: &row.bounds, AppendTime: true})
					mustAppend(t, p, records(t, codec, at(row.ages...)...))
				}
			})
		})
	}
}

func TestB11_TimestampsThatCannotBe(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{Timestamps: &replica.TimestampBounds{Before: math.MaxInt64, After: time.Hour}}, 1)
	none := record.Record{Timestamp: -1, Value: []byte("v")}
	mustAppend(t, p, records(t, record.None, none))
	appendTime := records(t, record.None, none)
	appendTime.SetLogAppendTime(start.UnixMilli())
	for name, b := range map[string]record.Batch{
		"-5":                             records(t, record.None, record.Record{Timestamp: -5}),
		"-5 before a good one":           records(t, record.None, record.Record{Timestamp: -5}, at(0)[0]),
		"LogAppendTime said by a client": appendTime,
	} {
		if _, err := p.Append(b, anyEpoch); !errors.Is(err, replica.ErrInvalidTimestamp) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestItem25_TopicCompressionType(t *testing.T) {
	forEachCodec(t, func(t *testing.T, stored record.Codec) {
		forEachCodec(t, func(t *testing.T, sent record.Codec) {
			w := newWorld(vfs.NewMem())
			p := w.lead(t, replica.Config{Compression: &replica.Recompression{Codec: stored, Level: record.DefaultLevel}}, 1)
			b := records(t, sent, at(0, time.Second, time.Minute)...)
			var want []record.Record
			for r := range b.Records() {
				r.Value = slices.Clone(r.Value)
				want = append(want, r)
			}
			mustAppend(t, p, b)
			w.flush()
			got := contents(t, p)
			if len(got) != 1 || got[0].Codec() != stored {
				t.Fatalf("stored %v, want codec %v", got, stored)
			}
			i := 0
			for r, err := range got[0].Records() {
				if err != nil || r.Timestamp != want[i].Timestamp || string(r.Value) != string(want[i].Value) {
					t.Errorf("record %d: %v, %v", i, r, err)
				}
				i++
			}
			if i != len(want) {
				t.Errorf("%d records", i)
			}
		})
	})
}

// A retry is known by its sequences, whatever became of the first one's bytes.
func TestItem25_RecompressedBatchKeepsItsSequences(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{Compression: &replica.Recompression{Codec: record.Zstd, Level: 3}}, 1)
	first := mustAppend(t, p, batch(t, 7, 0, 0, 3, "value"))
	again := mustAppend(t, p, batch(t, 7, 0, 0, 3, "value"))
	if !again.Duplicate || again.BaseOffset != first.BaseOffset {
		t.Errorf("the retry got %+v", again)
	}
}

// Max.message.bytes bounds what is sent and what is stored.
func TestItem26_SizeAfterRecompression(t *testing.T) {
	w := newWorld(vfs.NewMem())
	p := w.lead(t, replica.Config{MaxMessageBytes: 500, Compression: &replica.Recompression{Codec: record.None}}, 1)
	value := make([]byte, 1000)
	if _, err := p.Append(records(t, record.Zstd, record.Record{Value: value}), anyEpoch); !errors.Is(err, replica.ErrMessageTooLarge) {
		t.Errorf("1,000 bytes uncompressed: %v", err)
	}
	p.Configure(replica.Config{MaxMessageBytes: 500, Compression: &replica.Recompression{Codec: record.Zstd, Level: 3}})
	if _, err := p.Append(records(t, record.None, record.Record{Value: value}), anyEpoch); !errors.Is(err, replica.ErrMessageTooLarge) {
		t.Errorf("1,000 bytes sent: %v", err)
	}
	mustAppend(t, p, records(t, record.Zstd, record.Record{Value: value}))
}

// packed is a compressed batch of a payload that no client's library would
// make.
func packed(t fatal, count int32, payload []byte) record.Batch {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	b := append(slices.Clone(records(t, record.Zstd, record.Record{})[:record.HeaderSize]), enc.EncodeAll(payload, nil)...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[23:], uint32(count-1))
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// What stands in compressed records is looked at where validate.records=full
// asks for it, and on compacted topics, whose keys are needed.
func TestBadCompressedRecords(t *testing.T) {
	good := records(t, record.None, record.Record{Key: []byte("k")}, record.Record{Key: []byte("l")}).Payload()
	first := good[:len(good)/2]
	headers := append(binary.AppendVarint([]byte{22, 0, 0, 0, 2, 'k', 1}, 1<<31), 0) // length 11
	rows := map[string]record.Batch{
		"B3 more records than the count":  packed(t, 1, good),
		"B3 fewer records than the count": packed(t, 3, good),
		"B3 offset deltas 0, 0":           packed(t, 2, append(slices.Clone(first), first...)),
		"B8 1 GB out of a few bytes":      packed(t, 1, make([]byte, 1<<30)),
		"B16 length negative":             packed(t, 1, []byte{13, 0, 0, 0, 1, 1, 0, 0}),
		"B16 length beyond the batch":     packed(t, 1, []byte{120, 0, 0, 0, 1, 1, 0, 0}),
		"B17 2^31 headers":                packed(t, 1, headers),
		"no zstd at all":                  func() record.Batch { b := packed(t, 2, good); b[record.HeaderSize] ^= 0xff; reseal(b); return b }(),
	}
	for name, config := range map[string]replica.Config{"validate.records=full": {ValidateRecords: true}, "compact": {Compact: true}} {
		w := newWorld(vfs.NewMem())
		p := w.lead(t, config, 1)
		for row, b := range rows {
			if _, err := p.Append(slices.Clone(b), anyEpoch); !errors.Is(err, record.ErrInvalid) {
				t.Errorf("%s: %s: %v", name, row, err)
			}
		}
		if p.LogEnd() != 0 {
			t.Errorf("%s: the log ends at %d", name, p.LogEnd())
		}
		mustAppend(t, p, packed(t, 2, good))
	}
}

func reseal(b record.Batch) {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
}
