package commitlog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// The bytes that Apache Kafka's TransactionIndex writes for this entry.
func TestTxnIndexIsKafkas(t *testing.T) {
	list := []AbortedTxn{{ProducerID: 7, FirstOffset: 1, LastOffset: 0x102, LastStable: 3}}
	b := encodeAborted(list)
	want := "0000" + "0000000000000007" + "0000000000000001" + "0000000000000102" + "0000000000000003"
	if got := fmt.Sprintf("%x", b); got != want {
		t.Errorf("entry %s, want %s", got, want)
	}
	if again, err := decodeAborted(b, 0x100, 0x103); err != nil || !slices.Equal(again, list) {
		t.Errorf("read back as %+v, %v", again, err)
	}
}

// txnLog is a log whose every fifth offset is a marker that aborts a
// transaction of the three offsets before it; the first of the five is free.
func txnLog(t testing.TB, l *Log, to int64) (all []AbortedTxn) {
	t.Helper()
	for l.End() < to {
		end := l.End()
		var aborted []AbortedTxn
		if end%5 == 4 {
			aborted = []AbortedTxn{{ProducerID: 7, FirstOffset: end - 3, LastOffset: end, LastStable: end + 1}}
		}
		must(t, l.AppendEnding([]record.Batch{txnBatch(end, aborted != nil)}, aborted, epochZero))
		all = append(all, aborted...)
	}
	return all
}

// txnBatch is a batch of producer 7, of a transaction or its marker.
func txnBatch(at int64, marker bool) record.Batch {
	var bl record.Builder
	bl.SetProducer(7, 0, -1)
	bl.SetTransactional(true)
	bl.SetControl(marker)
	bl.Append(record.Record{Timestamp: 1000 * at, Key: []byte("k"), Value: []byte("some value")})
	b, err := bl.Build()
	if err != nil {
		panic(err) // the builder refuses nothing of this
	}
	b.Stamp(at, 0)
	return b
}

// overlaps is what Aborted has to say, by going over all.
func overlaps(all []AbortedTxn, from, to int64) (list []AbortedTxn) {
	for _, x := range all {
		if x.LastOffset >= from && x.FirstOffset < to {
			list = append(list, x)
		}
	}
	return list
}

func compareAborted(t testing.TB, l *Log, all []AbortedTxn) {
	t.Helper()
	for from := l.Start(); from < l.End(); from++ {
		for to := from + 1; to <= l.End(); to += 3 {
			got, err := l.Aborted(nil, from, to)
			must(t, err)
			if want := overlaps(all, from, to); !slices.Equal(got, want) {
				t.Fatalf("%d to %d: %+v, want %+v", from, to, got, want)
			}
		}
	}
}

var smallSegments = Config{SegmentBytes: 900, IndexInterval: 1}

func TestItem48_AbortedAcrossSegments(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, smallSegments, OpenOptions{})
	all := txnLog(t, l, 60)
	if l.Segments() < 4 {
		t.Fatalf("%d segments", l.Segments())
	}
	compareAborted(t, l, all)

	must(t, l.Close())
	l = mustOpen(t, m, smallSegments, OpenOptions{Clean: true, RecoveryPoint: 60})
	if l.AbortedFrom() != 60 {
		t.Errorf("after a stop in order the index is missing from %d on", l.AbortedFrom())
	}
	compareAborted(t, l, all)
	all = append(all, txnLog(t, l, 80)...)
	compareAborted(t, l, all)

	must(t, l.TruncateTo(43))
	all = slices.DeleteFunc(all, func(x AbortedTxn) bool { return x.LastOffset >= 43 })
	compareAborted(t, l, all)
	all = append(all, txnLog(t, l, 50)...)
	compareAborted(t, l, all)

	must(t, l.SetStart(31))
	compareAborted(t, l, all)
	for _, name := range names(t, m) {
		if base, suffix, ok := parseName(name); ok && suffix == txnSuffix && base < l.segmentList()[0].base {
			t.Errorf("%s is left of a segment that was removed", name)
		}
	}
	must(t, l.Reset(100))
	if got, err := l.Aborted(nil, 0, 1000); len(got) > 0 || err != nil {
		t.Errorf("after a reset: %+v, %v", got, err)
	}
}

// restore does what the owner of a log does after Open, who knows producers.
func restore(t testing.TB, l *Log, all []AbortedTxn) {
	t.Helper()
	for _, x := range all {
		if x.LastOffset < l.End() {
			l.RestoreAborted(x) // also those that are there: they are not doubled
		}
	}
	must(t, l.AbortedRestored())
}

func TestTxnIndexAfterAnUncleanStop(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, smallSegments, OpenOptions{})
	all := txnLog(t, l, 40)
	must(t, l.Flush())
	point, err := l.Checkpoint()
	must(t, err)
	all = append(all, txnLog(t, l, 70)...)
	must(t, l.Flush())

	// What a checkpoint covers is on the disk, the names of the files too.
	m = m.Crash(nil)
	l = mustOpen(t, m, smallSegments, OpenOptions{RecoveryPoint: point})
	from := l.AbortedFrom()
	if from >= point || from == 0 {
		t.Errorf("recovery point %d, the index is missing from %d on", point, from)
	}
	restore(t, l, all[slices.IndexFunc(all, func(x AbortedTxn) bool { return x.LastOffset >= from }):])
	compareAborted(t, l, all)

	// A damaged file is made up for in the same way, and only that one.
	must(t, l.Close())
	damaged := l.segmentList()[1]
	edit(t, m, damaged.path+txnSuffix, func(b []byte) []byte { return b[:len(b)-1] })
	logger, out := logged()
	l = mustOpen(t, m, smallSegments, OpenOptions{Clean: true, RecoveryPoint: 70, Logger: logger})
	if l.AbortedFrom() != damaged.base || !strings.Contains(out.String(), "aborted transactions") {
		t.Errorf("the index is missing from %d on, the damaged file is that of %d; logged %q", l.AbortedFrom(), damaged.base, out)
	}
	restore(t, l, all)
	compareAborted(t, l, all)
	must(t, l.Close())
	l = mustOpen(t, m, smallSegments, OpenOptions{Clean: true, RecoveryPoint: 70})
	if l.AbortedFrom() != 70 {
		t.Errorf("still missing from %d on", l.AbortedFrom())
	}
	compareAborted(t, l, all)
}

// Compaction takes a marker away once its transaction has no records left. A
// consumer told of the transaction would wait for the marker, and drop all that
// the producer sends until then.
func TestTxnIndexForgetsWithTheMarker(t *testing.T) {
	m := newDisk(t)
	l := mustOpen(t, m, smallSegments, OpenOptions{})
	all := txnLog(t, l, 60)
	must(t, l.Flush())
	segments := l.segmentList()
	r, err := l.Rewrite(segments[0].base, segments[2].base)
	must(t, err)
	for b, err := range r.Batches() {
		must(t, err)
		if b.LastOffset() == all[0].LastOffset || b.LastOffset() >= all[1].FirstOffset {
			must(t, r.Keep(b))
		}
		if b.LastOffset() == all[0].FirstOffset { // The first transaction keeps a batch and its marker,
			must(t, r.Keep(b))
		}
	}
	must(t, r.Commit())
	compareAborted(t, l, all)

	segments = l.segmentList()
	r, err = l.Rewrite(segments[0].base, segments[1].base)
	must(t, err)
	for b, err := range r.Batches() {
		must(t, err)
		if b.LastOffset() > all[0].LastOffset { // then neither.
			must(t, r.Keep(b))
		}
	}
	must(t, r.Commit())
	got, err := l.Aborted(nil, 0, l.End())
	must(t, err)
	if !slices.Equal(got, all[1:]) {
		t.Errorf("%+v, want %+v", got, all[1:])
	}
	must(t, l.Close())
	l = mustOpen(t, m, smallSegments, OpenOptions{Clean: true, RecoveryPoint: 60})
	if got, err = l.Aborted(nil, 0, l.End()); err != nil || !slices.Equal(got, all[1:]) {
		t.Errorf("opened again: %+v, %v", got, err)
	}
}

// A full disk takes an append back, and the transaction that it would have
// ended; also where the append has begun a segment.
func TestTxnIndexOfAFailedAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := vfs.NewMem()
		if err := disk.MkdirAll("data", 0o755); err != nil {
			t.Fatal(err)
		}
		fault := vfs.NewFault(disk)
		l, err := Open(fault, testDir, smallSegments, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var all []AbortedTxn
		for range 60 {
			end := l.End()
			aborted := []AbortedTxn{{ProducerID: 7, FirstOffset: end, LastOffset: end + 1, LastStable: end + 2}}
			batches := []record.Batch{newBatch(end, 0, 1, 0, "first"), newBatch(end+1, 0, 1, 0, "marker")}
			if rapid.IntRange(0, 3).Draw(t, "full") == 0 {
				fault.LimitSpace(rapid.Int64Range(0, 300).Draw(t, "space"))
			}
			err := l.AppendEnding(batches, aborted, epochZero)
			fault.LimitSpace(-1)
			if err == nil {
				all = append(all, aborted...)
			}
		}
		got, err := l.Aborted(nil, 0, l.End())
		if err != nil || !slices.Equal(got, all) {
			t.Fatalf("%+v, %v, want %+v", got, err, all)
		}
	})
}

// Whatever the bytes of the file, the log opens, says from where on it does not
// know, and never calls a transaction aborted that the file could not hold.
func FuzzTxnIndex(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeAborted([]AbortedTxn{{7, 1, 4, 5}, {7, 6, 9, 10}}))
	f.Add(bytes.Repeat([]byte{0}, txnEntrySize))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeAborted(b, 0, 1000)
		if err == nil && !bytes.Equal(encodeAborted(list), b) {
			t.Errorf("%x is written as %x", b, encodeAborted(list))
		}
		m := newDisk(t)
		l := mustOpen(t, m, smallSegments, OpenOptions{})
		txnLog(t, l, 20)
		must(t, l.Close())
		first := l.segmentList()[0]
		writeFile(t, m, first.path+txnSuffix, b)
		l = mustOpen(t, m, smallSegments, OpenOptions{Clean: true, RecoveryPoint: 20})
		got, err := l.Aborted(nil, 0, 20)
		must(t, err)
		if !slices.IsSortedFunc(got, func(a, b AbortedTxn) int { return compare(a.LastOffset, b.LastOffset) }) {
			t.Errorf("out of order: %+v", got)
		}
	})
}
