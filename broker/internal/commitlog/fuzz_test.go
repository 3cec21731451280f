package commitlog

import (
	"bytes"
	"math"
	"os"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// writeFile puts a file on the disk as a crash may have left it.
func writeFile(t testing.TB, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	must(t, err)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	must(t, f.Close())
}

// Whatever the bytes of a segment, the log opens with a prefix of valid
// batches, takes appends, and opens the same again.
func FuzzRecover(f *testing.F) {
	var log []byte
	for i := range int64(4) {
		log = append(log, newBatch(i, 0, 1, i, "value")...)
	}
	f.Add(log, uint16(0))
	f.Add(log[:len(log)-7], uint16(3))
	f.Add(log[:len(log)-7], uint16(math.MaxUint16))
	f.Add(append(bytes.Clone(log), make([]byte, 700)...), uint16(4))
	flipped := bytes.Clone(log)
	flipped[100] ^= 1
	f.Add(flipped, uint16(2))
	f.Fuzz(func(t *testing.T, segment []byte, recoveryPoint uint16) {
		m := newDisk(t)
		must(t, m.MkdirAll(testDir, 0o755))
		writeFile(t, m, segment0+logSuffix, segment)
		opts := OpenOptions{RecoveryPoint: int64(recoveryPoint)}
		if recoveryPoint == math.MaxUint16 {
			opts.RecoveryPoint = UnknownRecoveryPoint
		}
		l, err := Open(m, testDir, Config{}, opts)
		must(t, err)
		if l.Size()+l.Recovery().Cut != int64(len(segment)) {
			t.Errorf("%d bytes kept and %d cut of %d", l.Size(), l.Recovery().Cut, len(segment))
		}
		b, err := vfs.ReadFile(m, segment0+logSuffix)
		must(t, err)
		if !bytes.Equal(b, segment[:len(b)]) {
			t.Error("what is kept is not a prefix")
		}
		must(t, l.Append([]record.Batch{newBatch(l.End(), max(l.LatestEpoch(), 0), 1, 0, "x")}, epochZero))
		before := dump(t, l)
		l, err = Open(m, testDir, Config{}, opts)
		must(t, err)
		if got := dump(t, l); got != before || l.Recovery().Cut != 0 {
			t.Errorf("the second open differs, %d bytes cut\n%s\nbefore\n%s", l.Recovery().Cut, got, before)
		}
	})
}

// Whatever the bytes of the index files, reads give what is in the log.
func FuzzIndex(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0, 0, 0, 3, 0, 0, 1, 0}, make([]byte, 12))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 9), bytes.Repeat([]byte{0, 0, 1}, 9))
	f.Fuzz(func(t *testing.T, index, timeindex []byte) {
		m := newDisk(t)
		cfg := Config{SegmentBytes: 1000, IndexInterval: 100}
		l := mustOpen(t, m, cfg, OpenOptions{})
		batches := appendN(t, l, 20, 50)
		segments := l.segmentList()
		must(t, l.Close())
		for _, s := range segments {
			writeFile(t, m, s.path+indexSuffix, index)
			writeFile(t, m, s.path+timeSuffix, timeindex)
		}
		l = mustOpen(t, m, cfg, OpenOptions{Clean: true})
		for _, b := range batches {
			r, err := l.Read(b.BaseOffset(), l.End(), 1, true)
			must(t, err)
			got, err := r.AppendTo(nil)
			must(t, err)
			r.Release()
			if !bytes.Equal(got, b) {
				t.Fatalf("offset %d reads another batch", b.BaseOffset())
			}
			if _, _, err := l.OffsetForTime(b.MaxTimestamp()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzDecodeEpochs(f *testing.F) {
	f.Add([]byte("0\n2\n1 0\n2 7\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeEpochs(b)
		if err != nil {
			return
		}
		again, err := decodeEpochs(encodeEpochs(list))
		if err != nil || len(again) != len(list) {
			t.Errorf("%v written and read is %v, %v", list, again, err)
		}
	})
}

// FuzzDecodeAborted: an index of aborted transactions is read as it was written,
// or refused.
func FuzzDecodeAborted(f *testing.F) {
	f.Add(encodeAborted([]AbortedTxn{{7, 1, 4, 5}, {8, 2, 6, 7}}), int64(0), int64(10))
	f.Fuzz(func(t *testing.T, b []byte, base, end int64) {
		list, err := decodeAborted(b, base, end)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeAborted(list), b) {
			t.Errorf("%v is written otherwise", list)
		}
	})
}
