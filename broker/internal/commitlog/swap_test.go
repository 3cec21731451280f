package commitlog

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func put(t testing.TB, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	must(t, vfs.WriteFile(fsys, name, b))
}

// What Kafka or an earlier life left of a compaction is finished or dropped.
func TestItem103_InterruptedCompactionIsFinished(t *testing.T) {
	build := func() (*vfs.Mem, []record.Batch, Config) {
		m := newDisk(t)
		cfg := Config{SegmentBytes: 350, Compacted: true, KeepAll: true}
		l := mustOpen(t, m, cfg, OpenOptions{})
		batches := appendN(t, l, 8, 100) // two a segment
		must(t, l.Close())
		return m, batches, cfg
	}
	swap := func(t *testing.T, m *vfs.Mem, batches []record.Batch, suffix string) {
		var b []byte
		b = append(append(b, batches[0]...), batches[3]...)
		put(t, m, segment0+logSuffix+suffix, b)
		put(t, m, segment0+indexSuffix+suffix, []byte("kafka has one"))
	}
	for _, row := range []struct {
		name string
		left func(*testing.T, *vfs.Mem, []record.Batch)
		want []int
	}{
		{"not decided", func(t *testing.T, m *vfs.Mem, b []record.Batch) { swap(t, m, b, cleanedSuffix) }, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{"decided", func(t *testing.T, m *vfs.Mem, b []record.Batch) { swap(t, m, b, swapSuffix) }, []int{0, 3, 4, 5, 6, 7}},
		{"the old ones half gone", func(t *testing.T, m *vfs.Mem, b []record.Batch) {
			swap(t, m, b, swapSuffix)
			must(t, m.Rename(testDir+"/00000000000000000002.log", testDir+"/00000000000000000002.log.deleted"))
			must(t, m.Remove(segment0+indexSuffix))
		}, []int{0, 3, 4, 5, 6, 7}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, batches, cfg := build()
			row.left(t, m, batches)
			var want []record.Batch
			for _, i := range row.want {
				want = append(want, batches[i])
			}
			for _, clean := range []bool{true, true, false} {
				l := mustOpen(t, m, cfg, OpenOptions{Clean: clean, RecoveryPoint: 8})
				if got := dump(t, l); got != lines(want) || l.Recovery().CutAt != nil {
					t.Fatalf("clean %v: %+v\n%swant\n%s", clean, l.Recovery(), got, lines(want))
				}
				must(t, l.Close())
			}
			for _, name := range names(t, m) {
				if strings.HasSuffix(name, swapSuffix) || strings.HasSuffix(name, cleanedSuffix) {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

// A replacement that cannot be read does not cost the segments that are there.
func TestDamagedSwapIsNotBelieved(t *testing.T) {
	m, _ := flushedLog(t, Config{})
	put(t, m, segment0+logSuffix+swapSuffix, []byte(strings.Repeat("garbage", 20)))
	before := names(t, m)
	_, err := Open(m, testDir, Config{}, OpenOptions{Clean: true})
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), swapSuffix) {
		t.Errorf("open: %v", err)
	}
	if after := names(t, m); !slices.Equal(before, after) {
		t.Errorf("left are %v, were %v", after, before)
	}
}

// Where the recovery points are lost, offsets that lack are compaction's work:
// nothing is cut. Where a log is known to be new, they were lost.
func TestItem103_HolesOfACompactedLog(t *testing.T) {
	for _, row := range []struct {
		name     string
		recovery int64
		cut      bool
	}{{"below the recovery point", 8, false}, {"recovery point lost", UnknownRecoveryPoint, false}, {"nothing was synced", 0, true}} {
		t.Run(row.name, func(t *testing.T) {
			m := newDisk(t)
			cfg := Config{SegmentBytes: 350, Compacted: true, KeepAll: true}
			l := mustOpen(t, m, cfg, OpenOptions{})
			batches := appendN(t, l, 8, 100)
			must(t, l.Flush())
			for i := 1; i < 6; i += 2 { // As Kafka leaves it: a segment's last batch is gone.
				edit(t, m, segmentName(testDir, int64(i-1))+logSuffix, func([]byte) []byte { return batches[i-1] })
			}
			l = mustOpen(t, m, cfg, OpenOptions{RecoveryPoint: row.recovery})
			if cut := l.Recovery().CutAt != nil; cut != row.cut {
				t.Errorf("%+v", l.Recovery())
			}
			if !row.cut && l.End() != 8 {
				t.Errorf("the log ends at %d", l.End())
			}
		})
	}
}

// A replacement of any bytes is finished or refused, and never panics.
func FuzzSwap(f *testing.F) {
	good := newBatch(0, 0, 3, 1000, "value")
	f.Add([]byte(good), false)
	f.Add([]byte(good[:70]), true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, clean bool) {
		m := newDisk(t)
		must(t, m.MkdirAll(testDir, 0o755))
		file, err := m.OpenFile(segment0+logSuffix+swapSuffix, os.O_RDWR|os.O_CREATE, 0o644)
		must(t, err)
		_, err = file.WriteAt(b, 0)
		must(t, err)
		must(t, file.Close())
		l, err := Open(m, testDir, Config{Compacted: true}, OpenOptions{Clean: clean})
		if err != nil {
			return
		}
		for b, err := range l.Batches(l.Start(), l.End()) {
			if err == nil && b.LastOffset() < b.BaseOffset() {
				t.Errorf("%v", b)
			}
		}
		appendN(t, l, 1, 10)
		must(t, l.Close())
	})
}
