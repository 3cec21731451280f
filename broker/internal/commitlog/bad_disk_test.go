package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// D6: of two segments that claim the same offsets the later one is saved and
// left out, and the log goes on behind the first.
func TestD6_OverlappingSegmentIsQuarantined(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	var tail []byte
	for _, b := range batches[5:] {
		tail = append(tail, b...)
	}
	overlapping := testDir + "/00000000000000000005.log"
	must(t, vfs.WriteFile(m, overlapping, tail))
	l := mustOpen(t, m, Config{}, OpenOptions{})
	if got := dump(t, l); got != lines(batches) || l.End() != 10 {
		t.Errorf("the log ends at %d\n%s", l.End(), got)
	}
	saved := l.Recovery().Quarantined
	if len(saved) != 1 {
		t.Fatalf("saved %q", saved)
	}
	if b, err := vfs.ReadFile(m, saved[0]); err != nil || !slices.Equal(b, tail) {
		t.Errorf("%s has %d bytes of %d: %v", saved[0], len(b), len(tail), err)
	}
	if slices.Contains(names(t, m), "00000000000000000005.log") {
		t.Error("the overlapping segment is still there")
	}
	more := appendN(t, l, 3, 10)
	must(t, l.Close())
	l = mustOpen(t, m, Config{}, OpenOptions{})
	if got := dump(t, l); got != lines(append(batches, more...)) {
		t.Errorf("after a restart\n%s", got)
	}
}

// D7: a directory that leads back to itself cannot be a log.
func TestD7_SymlinkLoopIsRefused(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "t-0")
	if err := os.Symlink(loop, loop); err != nil {
		t.Skip(err)
	}
	if _, err := Open(vfs.OS{}, loop, Config{}, OpenOptions{}); err == nil {
		t.Fatal("opened a log in a loop of links")
	}
}

// D12: a filesystem that was remounted read-only takes no writes, and what was
// written is read on.
func TestD12_ReadOnlyFilesystem(t *testing.T) {
	m, batches := flushedLog(t, Config{})
	fault := vfs.NewFault(m)
	l := mustOpen(t, fault, Config{}, OpenOptions{})
	for _, op := range []vfs.Op{vfs.OpWrite, vfs.OpSync, vfs.OpTruncate} {
		fault.Add(vfs.Rule{Op: op, Err: syscall.EROFS})
	}
	if err := l.Append([]record.Batch{newBatch(10, 1, 1, 0, "v")}, epochZero); !errors.Is(err, syscall.EROFS) {
		t.Errorf("append: %v", err)
	}
	if got := dump(t, l); got != lines(batches) {
		t.Errorf("reads\n%s", got)
	}
}

// D13: a clock that goes back an hour removes nothing that is not due, and
// what is due by the records' own timestamps goes all the same.
func TestD13_ClockGoesBack(t *testing.T) {
	cfg := Config{SegmentBytes: 300, RetentionAge: 30 * time.Minute, RetentionBytes: -1, SegmentAge: 24 * time.Hour}
	l := mustOpen(t, newDisk(t), cfg, OpenOptions{})
	now := time.UnixMilli(1_700_000_000_000)
	for i := range int64(20) {
		must(t, l.Append([]record.Batch{newBatch(i, 1, 1, now.UnixMilli(), "0123456789")}, now))
	}
	must(t, l.Flush())
	start, segments := l.Start(), l.Segments()
	if n, err := l.Retain(now.Add(-time.Hour), l.End()); err != nil || n != 0 || l.Start() != start {
		t.Errorf("an hour back: %d removed, start %d, %v", n, l.Start(), err)
	}
	must(t, l.Append([]record.Batch{newBatch(20, 1, 1, now.Add(-time.Hour).UnixMilli(), "late")}, now.Add(-time.Hour)))
	if n, err := l.Retain(now.Add(29*time.Minute), l.End()); err != nil || n != 0 {
		t.Errorf("before they are due: %d removed, %v", n, err)
	}
	if n, err := l.Retain(now.Add(31*time.Minute), l.End()); err != nil || n == 0 || n >= segments+1 {
		t.Errorf("when they are due: %d of %d removed, %v", n, segments, err)
	}
	if l.End() != 21 {
		t.Errorf("the log ends at %d", l.End())
	}
}
