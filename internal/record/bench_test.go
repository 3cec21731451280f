package record_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
)

// filled is a batch of about size bytes of records with 100-byte values.
func filled(t testing.TB, codec record.Codec, size int) record.Batch {
	records := make([]record.Record, max(1, size/112))
	for i := range records {
		records[i] = record.Record{Timestamp: int64(i), Key: fmt.Append(nil, i), Value: bytes.Repeat([]byte{byte(i)}, 100)}
	}
	return build(t, codec, records...)
}

func TestHotPathAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	b := filled(t, record.None, 16<<10)
	var bl record.Builder
	var sum int64
	for name, f := range map[string]func(){
		"Next":         func() { _, _, _ = record.Next(b) },
		"Check":        func() { _ = b.Check() },
		"CheckRecords": func() { _ = b.CheckRecords() },
		"Stamp":        func() { b.Stamp(77, 3); b.SetLogAppendTime(9) },
		"Records": func() {
			for r, err := range b.Records() {
				if err == nil {
					sum += int64(len(r.Value))
				}
			}
		},
		"Builder": func() {
			for range 100 {
				bl.Append(record.Record{Timestamp: 5, Key: b[:4], Value: b[:100]})
			}
			_, _ = bl.Build()
			bl.Reset()
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	_ = sum
}

func BenchmarkParse(b *testing.B) {
	batch := filled(b, record.None, 1<<10)
	var sum int64
	for b.Loop() {
		x, _, _ := record.Next(batch)
		sum += x.BaseOffset() + int64(x.Count()) + x.ProducerID()
	}
	_ = sum
}

// BenchmarkCheck beside BenchmarkCRC: the check must run at 80 % or more of
// the bare checksum.
func BenchmarkCheck(b *testing.B) { eachSize(b, func(x record.Batch) { _ = x.Check() }) }

func BenchmarkCRC(b *testing.B) {
	table := crc32.MakeTable(crc32.Castagnoli)
	eachSize(b, func(x record.Batch) { crc32.Checksum(x[21:], table) })
}

func BenchmarkCheckRecords(b *testing.B) { eachSize(b, func(x record.Batch) { _ = x.CheckRecords() }) }

func BenchmarkRecords(b *testing.B) {
	eachSize(b, func(x record.Batch) {
		for _, err := range x.Records() {
			_ = err
		}
	})
}

func eachSize(b *testing.B, f func(record.Batch)) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		batch := filled(b, record.None, size)
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for b.Loop() {
				f(batch)
			}
		})
	}
}

func BenchmarkExpand(b *testing.B) {
	for _, codec := range codecs[1:] {
		batch := filled(b, codec, 16<<10)
		b.Run(codec.String(), func(b *testing.B) {
			var d record.Decompressor
			defer d.Close()
			b.ReportAllocs()
			for b.Loop() {
				out, err := d.Expand(batch)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(out)))
			}
		})
	}
}
