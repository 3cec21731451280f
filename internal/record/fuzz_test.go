package record_test

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/record"
)

// FuzzBatch holds framing, accessors and the walk against kmsg's decoder.
func FuzzBatch(f *testing.F) {
	for _, codec := range codecs {
		f.Add([]byte(build(f, codec, sample()...)))
	}
	f.Add([]byte(rawBatch(f, record.None, 1, varints(10, 0, 0, 0, -1, -1, 1<<31))))
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, rest, err := record.Next(data)
		if err != nil {
			return
		}
		if len(b)+len(rest) != len(data) || b.Size() != len(b) {
			t.Fatalf("%d bytes became %d and %d", len(data), len(b), len(rest))
		}
		compareHeaders(t, b)
		checked := b.Check() == nil
		reseal(b) // so that the walk is reached by whatever the fuzzer made of the records
		if b.Check() != nil || b.Codec() != record.None {
			_ = expandError(b)
			return
		}
		if walked := b.CheckRecords(); walked == nil {
			compareRecords(t, b)
		} else if checked && expandError(b) == nil && len(collect(t, b)) != int(b.Count()) {
			t.Fatalf("refused (%v), but iterates", walked)
		}
	})
}

func compareHeaders(t *testing.T, b record.Batch) {
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatalf("kmsg cannot read the header: %v", err)
	}
	if k.FirstOffset != b.BaseOffset() || k.PartitionLeaderEpoch != b.LeaderEpoch() || k.Magic != b.Magic() ||
		uint32(k.CRC) != b.CRC() || k.Attributes != b.Attributes() || k.LastOffsetDelta != b.LastOffsetDelta() ||
		k.FirstTimestamp != b.BaseTimestamp() || k.MaxTimestamp != b.MaxTimestamp() || k.ProducerID != b.ProducerID() ||
		k.ProducerEpoch != b.ProducerEpoch() || k.FirstSequence != b.BaseSequence() || k.NumRecords != b.Count() ||
		!bytes.Equal(k.Records, b.Payload()) {
		t.Fatalf("%v\nkmsg: %+v", b, k)
	}
}

func compareRecords(t *testing.T, b record.Batch) {
	raw := b.Payload()
	for _, r := range collect(t, b) {
		var k kmsg.Record
		if err := k.ReadFrom(raw); err != nil {
			t.Fatalf("kmsg cannot read record %d: %v", r.OffsetDelta, err)
		}
		want := record.Record{OffsetDelta: k.OffsetDelta, Timestamp: b.BaseTimestamp() + k.TimestampDelta64, Key: k.Key, Value: k.Value}
		if b.LogAppendTime() {
			want.Timestamp = b.MaxTimestamp()
		}
		for _, h := range k.Headers {
			want.Headers = append(want.Headers, record.Header{Key: h.Key, Value: h.Value})
		}
		if !equalRecords(r, want) {
			t.Fatalf("record %d: %+v\nkmsg: %+v", r.OffsetDelta, r, want)
		}
		raw = raw[len(varints(int64(k.Length)))+int(k.Length):]
	}
}

// FuzzExpand feeds hostile payloads to each codec: no panic, and never more
// than the bound.
func FuzzExpand(f *testing.F) {
	for _, codec := range codecs[1:] {
		f.Add(byte(codec), build(f, codec, sample()...).Payload())
	}
	f.Fuzz(func(t *testing.T, codec byte, payload []byte) {
		d := record.Decompressor{Limit: 1 << 20}
		defer d.Close()
		out, err := d.Expand(rawBatch(t, record.Codec(codec%5), 1, payload))
		if err == nil && len(out) > 1<<20 {
			t.Fatalf("%d bytes beyond the limit", len(out))
		}
	})
}

// FuzzRewrite drops every other record of whatever a log may hold: the batch
// that results is whole, with the records that were kept.
func FuzzRewrite(f *testing.F) {
	for _, codec := range codecs {
		f.Add([]byte(build(f, codec, sample()...)), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, horizon bool) {
		b, _, err := record.Next(data)
		if err != nil {
			return
		}
		reseal(b)
		if b.CheckStored() != nil {
			return
		}
		var d record.Decompressor
		defer d.Close()
		records, err := d.Expand(b)
		if err != nil {
			return
		}
		var w record.Rewriter
		w.Begin(b)
		if horizon {
			w.SetDeleteHorizon(1 << 40)
		}
		var kept []record.Raw
		if err := b.Scan(records, func(r record.Raw) error {
			if r.OffsetDelta%2 == 0 {
				w.Keep(r)
				kept = append(kept, r)
			}
			return nil
		}); err != nil {
			return
		}
		smaller, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if err := smaller.CheckStored(); err != nil || smaller.LastOffset() != b.LastOffset() {
			t.Fatalf("%v out of %v: %v", smaller, b, err)
		}
		i := 0
		if err := smaller.Scan(expand(t, smaller), func(r record.Raw) error {
			if r.OffsetDelta != kept[i].OffsetDelta || r.Timestamp != kept[i].Timestamp || !bytes.Equal(r.Key, kept[i].Key) {
				t.Errorf("record %d: %+v, want %+v", i, r, kept[i])
			}
			i++
			return nil
		}); err != nil || i != len(kept) {
			t.Fatalf("%d of %d records: %v", i, len(kept), err)
		}
	})
}
