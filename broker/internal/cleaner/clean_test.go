package cleaner

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/record"
)

const day = 24 * time.Hour

// Of each key the newest record stays, at its offset; records without a key
// stay, and the active segment is not touched.
func TestItem101_NewestOfEachKey(t *testing.T) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		w := newBench(t, commitlog.Config{})
		w.append(t, batch{codec: codec, records: []string{"a=1", "b=1", "=x"}})
		w.append(t, batch{codec: codec, records: []string{"a=2", "c=1"}})
		must(t, w.log.Roll())
		w.append(t, batch{codec: codec, records: []string{"b=2"}})
		w.append(t, batch{codec: codec, records: []string{"a=3", "=y"}})
		must(t, w.log.Roll())
		w.append(t, batch{codec: codec, records: []string{"c=2", "a=4"}})
		w.clean(t, day)
		w.want(t, codec.String(), "0-2 2:=x", "3-4 4:c=1", "5-5 5:b=2", "6-7 6:a=3 7:=y", "8-9 8:c=2 9:a=4")
		if w.log.Segments() != 2 {
			t.Errorf("%d segments: the small ones are joined", w.log.Segments())
		}
		for _, clean := range []bool{true, false} {
			w.reopen(t, clean)
			w.want(t, "opened again", "0-2 2:=x", "3-4 4:c=1", "5-5 5:b=2", "6-7 6:a=3 7:=y", "8-9 8:c=2 9:a=4")
		}
	}
}

// A tombstone stays for delete.retention.ms from the run that found it, and
// what it deletes goes at once (KIP-534).
func TestItem101_TombstonesUntilTheirHorizon(t *testing.T) {
	w := newBench(t, commitlog.Config{})
	w.append(t, batch{records: []string{"a=1", "b=1"}})
	w.append(t, batch{records: []string{"a", "c=1"}})
	must(t, w.log.Roll())
	w.now = epoch.Add(time.Hour)
	w.clean(t, day)
	w.want(t, "found", "0-1 1:b=1", "2-3 * 2:a 3:c=1")
	w.now = epoch.Add(time.Hour + day - time.Millisecond)
	w.cleaned = 0 // As if there was something else to clean.
	w.clean(t, day)
	w.want(t, "a millisecond early", "0-1 1:b=1", "2-3 * 2:a 3:c=1")
	w.now = epoch.Add(time.Hour + day)
	w.cleaned = 0
	w.clean(t, day)
	w.want(t, "due", "0-1 1:b=1", "2-3 * 3:c=1")
	for b, err := range w.log.Batches(2, 3) {
		must(t, err)
		for r := range b.Records() {
			if r.Timestamp != epoch.UnixMilli() {
				t.Errorf("the record's timestamp became %d", r.Timestamp)
			}
		}
	}
}

// The last batch of each producer stays, empty if need be: a start that reads
// the log has to know the next sequence. So does the last batch of a segment.
func TestItem101_ProducersAndEndsAreKept(t *testing.T) {
	w := newBench(t, commitlog.Config{})
	w.append(t, batch{producer: 1, records: []string{"a=1"}})
	w.append(t, batch{producer: 1, sequence: 1, records: []string{"a=2", "b=1"}})
	w.append(t, batch{producer: 2, records: []string{"a=3"}})
	w.append(t, batch{records: []string{"b=2"}})
	must(t, w.log.Roll())
	w.append(t, batch{producer: 2, sequence: 1, records: []string{"a=4", "b=3"}})
	must(t, w.log.Roll())
	w.clean(t, day)
	w.want(t, "cleaned", "1-2 p1", "5-6 p2 5:a=4 6:b=3")
	for b, err := range w.log.Batches(0, 3) {
		must(t, err)
		if b.BaseSequence() != 1 || b.LastOffsetDelta() != 1 || b.ProducerID() != 1 {
			t.Errorf("the empty batch is %v", b)
		}
	}
	w.append(t, batch{producer: 2, sequence: 3, records: []string{"a=5", "b=4"}})
	must(t, w.log.Roll())
	w.append(t, batch{producer: 2, sequence: 5, records: []string{"a=6", "b=5"}})
	must(t, w.log.Roll())
	w.append(t, batch{producer: 2, sequence: 7, records: []string{"z=1"}})
	w.clean(t, day)
	w.want(t, "cleaned again", "1-2 p1", "9-10 p2 9:a=6 10:b=5", "11-11 p2 11:z=1")
	w.last = nil // They have expired.
	w.cleaned = 0
	w.append(t, batch{records: []string{"a=7", "b=6"}})
	must(t, w.log.Roll())
	w.clean(t, day)
	w.want(t, "producers forgotten", "11-11 p2 11:z=1", "12-13 12:a=7 13:b=6")
}

// A segment of which nothing stays ends with an empty batch: no hole may lie
// between two segments.
func TestItem101_EmptySegmentKeepsItsEnd(t *testing.T) {
	w := newBench(t, commitlog.Config{SegmentBytes: 150})
	for range 3 {
		w.append(t, batch{records: []string{"a=" + strings.Repeat("1", 60)}})
	}
	w.append(t, batch{records: []string{"a=end"}})
	must(t, w.log.Roll())
	w.clean(t, day)
	w.want(t, "cleaned", "0-0", "1-1", "2-2", "3-3 3:a=end")
	w.reopen(t, false)
	if w.log.Recovery().Damaged || w.log.Recovery().CutAt != nil {
		t.Errorf("recovery: %+v", w.log.Recovery())
	}
	cfg := w.log.Config()
	cfg.SegmentBytes = 4000
	w.log.SetConfig(cfg)
	w.cleaned = 0
	w.clean(t, day)
	w.want(t, "joined", "3-3 3:a=end")
	if spans := w.log.Spans(); len(spans) != 1 || spans[0].Base != 0 || spans[0].End != 4 {
		t.Errorf("the log is %v, want one segment of 0 to 4", spans)
	}
}

// Records of an aborted transaction go; its marker, and that of a transaction
// whose records are all replaced, goes once its horizon has passed.
func TestItem101_Transactions(t *testing.T) {
	w := newBench(t, commitlog.Config{})
	w.append(t, batch{records: []string{"a=0", "b=0"}})
	w.append(t, batch{producer: 1, txn: true, records: []string{"a=aborted"}})
	w.append(t, batch{producer: 2, txn: true, records: []string{"b=committed", "c=1"}})
	w.end(t, 1, false)
	w.end(t, 2, true)
	w.append(t, batch{producer: 1, sequence: 1, records: []string{"z=1"}})
	w.append(t, batch{producer: 2, sequence: 2, records: []string{"z=2"}})
	must(t, w.log.Roll())
	w.append(t, batch{records: []string{"y=1"}})
	must(t, w.log.Roll())
	w.clean(t, day)
	w.want(t, "first run", "0-1 0:a=0", "3-4 p2 3:b=committed 4:c=1", "5-5 p1 marker", "6-6 p2 marker", "7-7 p1", "8-8 p2 8:z=2", "9-9 9:y=1")
	w.append(t, batch{records: []string{"b=2", "c=2"}})
	must(t, w.log.Roll())
	w.append(t, batch{records: []string{"y=2"}})
	w.clean(t, day)
	w.want(t, "their records are gone", "0-1 0:a=0", "5-5 p1 * marker", "6-6 p2 marker", "7-7 p1", "8-8 p2 8:z=2", "9-9 9:y=1", "10-11 10:b=2 11:c=2", "12-12 12:y=2")
	must(t, w.log.Roll())
	w.clean(t, day)
	w.now = w.now.Add(2 * day)
	w.append(t, batch{records: []string{"x=1"}})
	must(t, w.log.Roll())
	w.clean(t, day)
	w.want(t, "the horizon has passed", "0-1 0:a=0", "7-7 p1", "8-8 p2 8:z=2", "10-11 10:b=2 11:c=2", "12-12 12:y=2", "13-13 13:x=1")
}

// Nothing from the first unstable offset on is touched.
func TestItem101_NotPastTheFirstUnstableOffset(t *testing.T) {
	w := newBench(t, commitlog.Config{})
	w.append(t, batch{records: []string{"a=0"}})
	w.append(t, batch{records: []string{"a=1"}})
	must(t, w.log.Roll())
	w.append(t, batch{producer: 1, txn: true, records: []string{"a=open"}})
	w.append(t, batch{records: []string{"a=2"}})
	must(t, w.log.Roll())
	w.append(t, batch{records: []string{"a=3"}})
	w.clean(t, day)
	w.want(t, "open", "1-1 1:a=1", "2-2 p1 2:a=open", "3-3 3:a=2", "4-4 4:a=3")
}

func TestItem101_LagsAndDirtyRatio(t *testing.T) {
	w := newBench(t, commitlog.Config{})
	for range 4 {
		w.append(t, batch{records: []string{"a=0"}})
		must(t, w.log.Roll())
		w.now = w.now.Add(time.Hour)
	}
	must(t, w.log.Flush())
	for _, row := range []struct {
		name     string
		p        Policy
		from     int64
		limit    int64
		to       int64
		due      bool
		dirtyAll bool
	}{
		{"all dirty", Policy{MinDirtyRatio: 0.5, MaxLag: Unlimited}, 0, 4, 4, true, true},
		{"half dirty is not above a half", Policy{MinDirtyRatio: 0.5, MaxLag: Unlimited}, 2, 4, 4, false, false},
		{"half dirty", Policy{MinDirtyRatio: 0.4, MaxLag: Unlimited}, 2, 4, 4, true, false},
		{"nothing dirty", Policy{MinDirtyRatio: 0, MaxLag: Unlimited}, 4, 4, 4, false, false},
		{"not stable", Policy{MaxLag: Unlimited}, 0, 3, 3, true, true},
		{"stable in the middle of a segment", Policy{MaxLag: Unlimited}, 0, 0, 0, false, false},
		{"too young", Policy{MinLag: 150 * time.Minute, MaxLag: Unlimited}, 0, 4, 2, true, true},
		{"old enough whatever the ratio", Policy{MinDirtyRatio: 1, MaxLag: 3 * time.Hour}, 0, 4, 4, true, true},
		{"not that old", Policy{MinDirtyRatio: 1, MaxLag: 5 * time.Hour}, 0, 4, 4, false, true},
		{"cleaned beyond the end", Policy{MaxLag: Unlimited}, 100, 4, 4, true, true},
	} {
		d, err := Inspect(w.log, row.p, row.from, row.limit, w.now)
		must(t, err)
		if d.To != row.to || d.Due != row.due || (d.Ratio == 1) != row.dirtyAll {
			t.Errorf("%s: %+v", row.name, d)
		}
	}
}

// A map that is full ends the run; the next ones go on until nothing is dirty.
func TestFullMapGoesOn(t *testing.T) {
	w := newBench(t, commitlog.Config{SegmentBytes: 4000})
	w.keys = NewOffsetMap(0) // Room for the fewest keys.
	var want []string
	for i := range 3000 {
		key := "k" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		w.append(t, batch{records: []string{key + "=old"}})
		want = append(want, key)
	}
	for _, key := range want {
		w.append(t, batch{records: []string{key + "=new"}})
	}
	must(t, w.log.Roll())
	runs := 0
	for end := w.log.End(); w.cleaned < end && runs < 100; runs++ {
		w.clean(t, day)
	}
	if runs < 4 || runs == 100 {
		t.Errorf("%d runs for 3,000 keys in a map of %d", runs, minKeys)
	}
	w.cleaned = 0 // The newest of the first runs' keys came later: once more.
	for end := w.log.End(); w.cleaned < end; {
		w.clean(t, day)
	}
	got := w.dump(t)
	if strings.Contains(got, "=old") || strings.Count(got, "=new") != len(want) {
		t.Errorf("%d old and %d new values are left", strings.Count(got, "=old"), strings.Count(got, "=new"))
	}
}

// A batch that is damaged ends the run: its checksum must not be made good.
func TestRotIsNotRewritten(t *testing.T) {
	for _, position := range []int64{70, 70 + 61 + 3} { // the base offset, which no checksum covers, and a record
		w := newBench(t, commitlog.Config{})
		w.append(t, batch{records: []string{"a=1"}})
		w.append(t, batch{records: []string{"b=1"}})
		must(t, w.log.Roll())
		w.append(t, batch{records: []string{"a=2"}})
		must(t, w.log.Roll())
		before := w.log.Spans()
		f, err := w.fs.OpenFile(logDir+"/00000000000000000000.log", os.O_RDWR, 0)
		must(t, err)
		_, err = f.WriteAt([]byte{0xff}, position)
		must(t, err)
		must(t, f.Close())
		_, err = (&Job{Log: w.log, From: 2, To: 3, Now: w.now, Keys: w.keys}).Run()
		if !IsCorrupt(err) {
			t.Errorf("rot at %d: the run says %v", position, err)
		}
		if !slices.Equal(before, w.log.Spans()) {
			t.Errorf("rot at %d: segments are %v, were %v", position, w.log.Spans(), before)
		}
	}
}
