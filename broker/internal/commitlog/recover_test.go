package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

const segment0 = testDir + "/00000000000000000000"

// flushedLog writes ten batches into one segment and leaves it as a kill of
// the process would, everything in place.
func flushedLog(t testing.TB, cfg Config) (*vfs.Mem, []record.Batch) {
	t.Helper()
	m := newDisk(t)
	l := mustOpen(t, m, cfg, OpenOptions{})
	batches := appendN(t, l, 10, 100)
	must(t, l.Flush())
	return m, batches
}

// D1: a torn last batch is cut, wherever the tear is.
func TestD1TornLastBatchIsCut(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	whole, err := vfs.ReadFile(m, segment0+logSuffix)
	must(t, err)
	last := len(batches[9])
	for keep := 1; keep < last; keep += 7 {
		edit(t, m, segment0+logSuffix, func([]byte) []byte { return whole[:len(whole)-last+keep] })
		logger, out := logged()
		l := mustOpen(t, m, Config{}, OpenOptions{RecoveryPoint: 9, Logger: logger})
		if got := dump(t, l); got != lines(batches[:9]) {
			t.Fatalf("%d bytes of the last batch: read\n%s", keep, got)
		}
		if r := l.Recovery(); r.Cut != int64(keep) || len(r.Quarantined) > 0 || r.Damaged {
			t.Errorf("%d bytes of the last batch: %+v", keep, r)
		}
		if !strings.Contains(out.String(), fmt.Sprintf("bytes=%d", keep)) {
			t.Errorf("the operator is not told how much: %s", out)
		}
		appendN(t, l, 1, 10)
	}
}

// D2: a flipped bit with valid batches behind it is rot, or a crash that lost
// an earlier write: what is cut is saved first.
func TestD2FlippedBitIsQuarantined(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	whole, err := vfs.ReadFile(m, segment0+logSuffix)
	must(t, err)
	size := len(batches[0])
	for bit := range 8 {
		at := 4*size + 30 + 9*bit // within the fifth batch, header and payload
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << bit
		edit(t, m, segment0+logSuffix, func([]byte) []byte { return flipped })
		logger, out := logged()
		l := mustOpen(t, m, Config{}, OpenOptions{RecoveryPoint: 3, Logger: logger})
		if got := dump(t, l); got != lines(batches[:4]) {
			t.Fatalf("flip at %d: read\n%s", at, got)
		}
		r := l.Recovery()
		if len(r.Quarantined) != 1 || r.Cut != int64(6*size) || r.CutAt.Offset != 4 || r.CutAt.Position != int64(4*size) {
			t.Fatalf("flip at %d: %+v", at, r)
		}
		saved, err := vfs.ReadFile(m.Crash(nil), r.Quarantined[0])
		if err != nil || !bytes.Equal(saved, flipped[4*size:]) {
			t.Errorf("flip at %d: saved %d bytes, %v; want %d that last", at, len(saved), err, 6*size)
		}
		if !strings.Contains(out.String(), "position=") || !strings.Contains(out.String(), r.Quarantined[0]) {
			t.Errorf("the operator is not told where: %s", out)
		}
		m, _ = flushedLog(t, Config{})
	}
}

// A flip in the last batch cannot be told from a torn write.
func TestFlippedBitInTheLastBatchIsCut(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	edit(t, m, segment0+logSuffix, func(b []byte) []byte { b[len(b)-3] ^= 4; return b })
	l := mustOpen(t, m, Config{}, OpenOptions{})
	if got := dump(t, l); got != lines(batches[:9]) || len(l.Recovery().Quarantined) > 0 {
		t.Errorf("%+v\n%s", l.Recovery(), got)
	}
}

// D3: zeros at the tail, as ext4 leaves where the size was durable and the
// data was not.
func TestD3ZerosAtTheTailAreCut(t *testing.T) {
	for _, zeros := range []int{1, 12, 61, 512, 5000, 600_000} {
		m, batches := flushedLog(t, Config{})
		edit(t, m, segment0+logSuffix, func(b []byte) []byte { return append(b, make([]byte, zeros)...) })
		l := mustOpen(t, m, Config{}, OpenOptions{RecoveryPoint: 10})
		if got := dump(t, l); got != lines(batches) || len(l.Recovery().Quarantined) > 0 || l.Recovery().Cut != int64(zeros) {
			t.Errorf("%d zeros: %+v\n%s", zeros, l.Recovery(), got)
		}
	}
}

// D4: an index that is short, long, garbage or gone is made anew, and lookups
// give what they gave, of cold segments and of the one that is appended to.
func TestD4IndexIsRebuilt(t *testing.T) {
	cfg := Config{SegmentBytes: 3000, IndexInterval: 200}
	harms := map[string]func([]byte) []byte{
		"gone":    nil,
		"empty":   func([]byte) []byte { return nil },
		"short":   func(b []byte) []byte { return b[:len(b)/2] },
		"odd":     func(b []byte) []byte { return b[:len(b)-3] },
		"long":    func(b []byte) []byte { return append(b, b...) },
		"garbage": func(b []byte) []byte { return bytes.Repeat([]byte{0x5a}, len(b)) },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"shifted": func(b []byte) []byte {
			for i := 7; i < len(b); i += offsetEntrySize {
				b[i] += 3
			}
			return b
		},
	}
	for name, harm := range harms {
		for _, suffix := range []string{indexSuffix, timeSuffix} {
			t.Run(name+suffix, func(t *testing.T) {
				m := newDisk(t)
				l := mustOpen(t, m, cfg, OpenOptions{})
				batches := appendN(t, l, 80, 100)
				bases := l.segmentList()
				must(t, l.Close())
				for _, s := range bases {
					if harm == nil {
						must(t, m.Remove(s.path+suffix))
						continue
					}
					edit(t, m, s.path+suffix, harm)
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
					at, ok, err := l.OffsetForTime(b.MaxTimestamp())
					if err != nil || !ok || at.Offset != b.BaseOffset() {
						t.Fatalf("time of offset %d is found at %v, %v, %v", b.BaseOffset(), at, ok, err)
					}
				}
				appendN(t, l, 5, 100)
				must(t, l.Close())
			})
		}
	}
}

func TestLostDataBelowTheRecoveryPointIsReported(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	edit(t, m, segment0+logSuffix, func(b []byte) []byte { return b[:len(batches[0])*7] })
	l := mustOpen(t, m, Config{}, OpenOptions{RecoveryPoint: 10})
	if !l.Recovery().Damaged || l.End() != 7 {
		t.Errorf("end %d, %+v; want a damaged replica", l.End(), l.Recovery())
	}
}

// A hole below the recovery point is no crash's work: nothing is cut for it,
// and a person has to look.
func TestMissingSyncedSegmentIsRefused(t *testing.T) {
	m := newDisk(t)
	cfg := Config{SegmentBytes: 500}
	l := mustOpen(t, m, cfg, OpenOptions{})
	appendN(t, l, 20, 100)
	middle := l.segmentList()[2]
	must(t, l.Flush())
	must(t, m.Remove(middle.path+logSuffix))
	before := names(t, m)
	_, err := Open(m, testDir, cfg, OpenOptions{RecoveryPoint: 20, OnBatch: func(record.Batch) error { return nil }})
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Offset != middle.base || !strings.Contains(err.Error(), "put it back") {
		t.Fatalf("open: %v", err)
	}
	if got := names(t, m); len(got) < len(before)-2 { // Orphaned indexes may go.
		t.Errorf("files were removed: %v, before %v", got, before)
	}
}

// What a recovery cuts in one segment takes the later ones along, saved where
// they hold anything.
func TestLaterSegmentsGoWithTheCut(t *testing.T) {
	m := newDisk(t)
	cfg := Config{SegmentBytes: 500}
	l := mustOpen(t, m, cfg, OpenOptions{})
	batches := appendN(t, l, 20, 100)
	first, second := l.segmentList()[0], l.segmentList()[1]
	segments := l.Segments()
	must(t, l.Flush())
	edit(t, m, first.path+logSuffix, func(b []byte) []byte { return b[:len(b)-1] })
	l = mustOpen(t, m, cfg, OpenOptions{})
	if got := dump(t, l); got != lines(batches[:second.base-1]) || l.Segments() != 1 {
		t.Errorf("%d segments\n%s", l.Segments(), got)
	}
	if n := len(l.Recovery().Quarantined); n != segments {
		t.Errorf("%d files saved of %d segments", n, segments)
	}
	var saved int
	for _, name := range l.Recovery().Quarantined {
		b, err := vfs.ReadFile(m, name)
		must(t, err)
		saved += len(b)
	}
	if int64(saved) != l.Recovery().Cut {
		t.Errorf("saved %d bytes of %d", saved, l.Recovery().Cut)
	}
	appendN(t, l, 20, 100)
}

// A batch that cannot be read is not a batch that is bad: nothing is cut.
func TestReadErrorDoesNotCut(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	fault := vfs.NewFault(m)
	fault.Add(vfs.Rule{Op: vfs.OpRead, Match: "*" + logSuffix})
	if _, err := Open(fault, testDir, Config{}, OpenOptions{}); err == nil {
		t.Fatal("opened a log that cannot be read")
	}
	l := mustOpen(t, m, Config{}, OpenOptions{})
	if got := dump(t, l); got != lines(batches) {
		t.Errorf("after the disk has healed\n%s", got)
	}
}

func TestD7_UnknownFilesAreLeftAlone(t *testing.T) {
	m, _ := flushedLog(t, Config{})
	strangers := []string{"notes.txt", "00000000000000000000.log.bak", "0.log", "partition.metadata", "00000000000000000005.snapshot"}
	for _, name := range strangers {
		must(t, vfs.WriteFile(m, testDir+"/"+name, []byte("mine")))
	}
	must(t, m.MkdirAll(testDir+"/00000000000000000099.log", 0o755))
	logger, out := logged()
	l := mustOpen(t, m, Config{}, OpenOptions{Logger: logger})
	if l.Segments() != 1 || l.End() != 10 {
		t.Errorf("%d segments, end %d", l.Segments(), l.End())
	}
	have := names(t, m)
	for _, name := range strangers {
		if !slices.Contains(have, name) {
			t.Errorf("%s is gone", name)
		}
	}
	if !strings.Contains(out.String(), "notes.txt") || strings.Contains(out.String(), "partition.metadata") {
		t.Errorf("the operator is told: %s", out)
	}
}

func TestReplay(t *testing.T) {
	for _, clean := range []bool{true, false} {
		m := newDisk(t)
		cfg := Config{SegmentBytes: 500}
		l := mustOpen(t, m, cfg, OpenOptions{})
		appendN(t, l, 30, 100)
		must(t, l.Close())
		for replay := int64(0); replay <= 30; replay += 5 {
			var seen []int64
			mustOpen(t, m, cfg, OpenOptions{Clean: clean, RecoveryPoint: 30, Replay: replay, OnBatch: func(b record.Batch) error {
				seen = append(seen, b.BaseOffset())
				return nil
			}})
			if want := 30 - replay; int64(len(seen)) != want || want > 0 && seen[0] != replay {
				t.Errorf("clean %v, replay from %d: %v", clean, replay, seen)
			}
		}
		wanted := errors.New("stop")
		if _, err := Open(m, testDir, cfg, OpenOptions{OnBatch: func(record.Batch) error { return wanted }}); !errors.Is(err, wanted) {
			t.Errorf("the callback's error: %v", err)
		}
	}
}

func TestEpochFileGarbage(t *testing.T) {
	for _, text := range []string{"", "0\n", "x", "0\n2\n1 0\n", "0\n2\n5 0\n3 4\n", "0\n1\n99999999999 0\n", "9\n0\n"} {
		m := newDisk(t)
		l := mustOpen(t, m, Config{}, OpenOptions{})
		for i := range int32(5) {
			must(t, l.Append([]record.Batch{newBatch(l.End(), 2*i, 3, 0, "v")}, epochZero))
		}
		want := l.Epochs()
		must(t, l.Close())
		edit(t, m, testDir+"/"+epochFile, func([]byte) []byte { return []byte(text) })
		l = mustOpen(t, m, Config{}, OpenOptions{Clean: true})
		if got := l.Epochs(); !slices.Equal(got, want) {
			t.Errorf("%q: epochs %v, want %v", text, got, want)
		}
	}
}
