package record_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
)

// expand returns the records of a batch as they stand uncompressed.
func expand(t testing.TB, b record.Batch) []byte {
	t.Helper()
	var d record.Decompressor
	defer d.Close()
	payload, err := d.Expand(b)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(payload)
}

func TestScanSeesWhatRecordsSees(t *testing.T) {
	for _, codec := range codecs {
		b := build(t, codec, sample()...)
		want, i := collect(t, b), 0
		if err := b.Scan(expand(t, b), func(r record.Raw) error {
			w := want[i]
			if r.OffsetDelta != w.OffsetDelta || r.Timestamp != w.Timestamp || !bytes.Equal(r.Key, w.Key) || (r.Key == nil) != (w.Key == nil) || r.Tombstone != (w.Value == nil) {
				t.Errorf("%v: record %d: %+v, want %+v", codec, i, r, w)
			}
			i++
			return nil
		}); err != nil || i != len(want) {
			t.Errorf("%v: %d records, %v", codec, i, err)
		}
	}
}

// A rewritten batch has the records that were kept, at their offsets and with
// their timestamps, and what else the header said.
func TestRewriterKeepsSomeRecords(t *testing.T) {
	for _, codec := range codecs {
		for _, horizon := range []int64{0, 1_700_000_500_000} {
			b := build(t, codec, sample()...)
			b.Stamp(1000, 7)
			var w record.Rewriter
			w.Begin(b)
			if horizon > 0 {
				w.SetDeleteHorizon(horizon)
			}
			if err := b.Scan(expand(t, b), func(r record.Raw) error {
				if r.OffsetDelta%2 == 1 {
					w.Keep(r)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			got, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if err := got.CheckStored(); err != nil {
				t.Fatal(err)
			}
			if got.BaseOffset() != 1000 || got.LastOffset() != b.LastOffset() || got.LeaderEpoch() != 7 || got.Count() != 2 || got.Codec() != codec {
				t.Errorf("%v: %v", codec, got)
			}
			if got.MaxTimestamp() != 1_700_000_000_001 {
				t.Errorf("%v: largest timestamp %d, want that of the records left", codec, got.MaxTimestamp())
			}
			if at, ok := got.DeleteHorizon(); ok != (horizon > 0) || ok && at != horizon {
				t.Errorf("%v: delete horizon %d, %v", codec, at, ok)
			}
			all := collect(t, b)
			if left := collect(t, got); len(left) != 2 || !equalRecords(left[0], all[1]) || !equalRecords(left[1], all[3]) {
				t.Errorf("%v: left are %v", codec, left)
			}
		}
	}
}

// A batch without records keeps what the producers' state is made of.
func TestRewriterOfNothingKeepsTheHeader(t *testing.T) {
	var bl record.Builder
	bl.SetCodec(record.Zstd)
	bl.SetProducer(42, 3, 100)
	for _, r := range sample() {
		bl.Append(r)
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	var w record.Rewriter
	w.Begin(b)
	got, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckStored(); err != nil || len(got) != record.HeaderSize || got.Count() != 0 {
		t.Errorf("%v: %v", got, err)
	}
	if got.ProducerID() != 42 || got.ProducerEpoch() != 3 || got.BaseSequence() != 100 || got.LastOffsetDelta() != 3 || got.MaxTimestamp() != b.MaxTimestamp() {
		t.Errorf("%v", got)
	}
	if left := collect(t, got); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}

func TestRecompressToEveryCodecAndLevel(t *testing.T) {
	levels := map[record.Codec][]int{
		record.None: {record.DefaultLevel}, record.Snappy: {record.DefaultLevel},
		record.Gzip: {record.DefaultLevel, -1, 1, 9}, record.LZ4: {record.DefaultLevel, 1, 9, 17}, record.Zstd: {record.DefaultLevel, -131072, 1, 3, 22},
	}
	var c record.Compressor
	for _, from := range codecs {
		b := build(t, from, sample()...)
		for _, to := range codecs {
			for _, level := range levels[to] {
				got, err := c.Recompress(nil, b, expand(t, b), to, level)
				if err != nil {
					t.Fatalf("%v to %v at level %d: %v", from, to, level, err)
				}
				if err := got.Check(); err != nil || got.Codec() != to {
					t.Errorf("%v to %v at level %d: %v, %v", from, to, level, got, err)
				}
				if !slices.EqualFunc(collect(t, got), collect(t, b), equalRecords) {
					t.Errorf("%v to %v at level %d: other records", from, to, level)
				}
			}
		}
	}
	b := build(t, record.None, sample()...)
	if _, err := c.Recompress(nil, b, b.Payload(), 7, record.DefaultLevel); !errors.Is(err, record.ErrCodec) {
		t.Errorf("codec 7: %v", err)
	}
}
