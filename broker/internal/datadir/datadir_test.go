package datadir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/internal/cleaner"
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "/var/data"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, fsys vfs.FS, opts Options) *Dir {
	t.Helper()
	d, err := Open(fsys, root, opts)
	must(t, err)
	return d
}

// partition is a replica of the simplest kind: its high watermark is what is
// flushed.
type partition struct {
	*commitlog.Log
	entry *Entry

	mu     sync.Mutex
	due    time.Time // of FlushDue
	failed error
	moved  chan struct{} // closed and replaced when FlushDone or FlushFailed was called
}

func addPartition(t testing.TB, d *Dir, topic string, cfg commitlog.Config) *partition {
	t.Helper()
	found := d.Partition(topic, 0)
	l, err := commitlog.Open(d.FS(), found.Path, cfg, commitlog.OpenOptions{
		Clean: found.Clean, RecoveryPoint: found.RecoveryPoint, LogStart: found.LogStart, Files: d.Files(),
	})
	must(t, err)
	p := &partition{Log: l, moved: make(chan struct{})}
	p.entry = d.Add(p)
	return p
}

func (p *partition) Dirt(time.Time, int64, int64) (cleaner.Dirt, error) { return cleaner.Dirt{}, nil }

func (p *partition) Compact(cleaner.Dirt, time.Time, *cleaner.OffsetMap, func(int) error) (cleaner.Result, error) {
	return cleaner.Result{}, nil
}

func (p *partition) FlushDone(f commitlog.Flush) error {
	defer p.signal()
	return p.Log.FlushDone(f)
}

func (p *partition) FlushFailed(err error) {
	p.Fail(err)
	p.mu.Lock()
	p.failed = err
	p.mu.Unlock()
	p.signal()
}

func (p *partition) signal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.moved)
	p.moved = make(chan struct{})
}

func (p *partition) Checkpoint() (recoveryPoint, logStart, highWatermark int64, err error) {
	recoveryPoint, err = p.Log.Checkpoint()
	return recoveryPoint, p.Start(), p.Flushed(), err
}

func (p *partition) Retain(now time.Time) (int, error) { return p.Log.Retain(now, p.Flushed()) }

func (p *partition) FlushDue() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.due, !p.due.IsZero() && p.Flushed() < p.End()
}

func (p *partition) append(t testing.TB, n int) {
	t.Helper()
	for range n {
		p.write(t)
		p.entry.Dirty()
	}
}

// write appends a record and asks for no flush.
func (p *partition) write(t testing.TB) {
	t.Helper()
	var bl record.Builder
	bl.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
	b, err := bl.Build()
	must(t, err)
	b.Stamp(p.End(), 0)
	must(t, p.Append([]record.Batch{b}, time.Now()))
}

// await waits until everything appended is flushed, or the flush has failed.
func (p *partition) await(t testing.TB) error {
	t.Helper()
	for end := p.End(); ; {
		p.mu.Lock()
		moved, failed := p.moved, p.failed
		p.mu.Unlock()
		if failed != nil || p.Flushed() >= end {
			return failed
		}
		<-moved
	}
}

// running runs a directory until the test ends.
func running(t testing.TB, d *Dir) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && d.Flusher.Err() == nil {
			t.Error(err)
		}
	})
}

// D19: two processes, one directory.
func TestD19SecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(vfs.OS{}, dir, Options{})
	must(t, err)
	_, err = Open(vfs.OS{}, dir, Options{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second process: %v, want ErrInUse that names the directory", err)
	}
	must(t, first.Close(false))
	again, err := Open(vfs.OS{}, dir, Options{})
	must(t, err)
	must(t, again.Close(false))
}

// C10: a data directory that cannot be made or written.
func TestC10DirectoryThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	file := path.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o644))
	_, err := Open(vfs.OS{}, path.Join(file, "data"), Options{})
	if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "choose") {
		t.Errorf("below a file: %v; want the path and what to try", err)
	}
	fault := vfs.NewFault(vfs.NewMem())
	fault.Add(vfs.Rule{Op: vfs.OpWrite, Err: os.ErrPermission})
	if _, err := Open(fault, root, Options{}); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), root) {
		t.Errorf("not writable: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	m := vfs.NewMem()
	d := open(t, m, Options{NodeID: 3, NewID: func() string { return "dirdirdirdirdirdirdird" }})
	must(t, d.SetClusterID("cluster-a"))
	must(t, d.SetClusterID("cluster-a"))
	if err := d.SetClusterID("cluster-b"); !errors.Is(err, ErrForeign) {
		t.Errorf("another cluster: %v", err)
	}
	must(t, d.Close(false))
	m = m.Crash(nil)
	d = open(t, m, Options{NodeID: 3})
	want := Meta{ClusterID: "cluster-a", NodeID: 3, DirectoryID: "dirdirdirdirdirdirdird"}
	if d.Meta() != want {
		t.Errorf("identity %+v, want %+v", d.Meta(), want)
	}
	must(t, d.Close(false))
	if _, err := Open(m, root, Options{NodeID: 4}); !errors.Is(err, ErrForeign) {
		t.Errorf("another node: %v", err)
	}
	b, err := vfs.ReadFile(m, root+"/meta.properties")
	must(t, err)
	if string(b) != "version=1\ncluster.id=cluster-a\nnode.id=3\ndirectory.id=dirdirdirdirdirdirdird\n" {
		t.Errorf("meta.properties\n%s", b)
	}
}

// The marker of a clean stop is good for one start: a crash after it is a
// crash.
func TestItem103_CleanMarkerIsUsedOnce(t *testing.T) {
	m := vfs.NewMem()
	d := open(t, m, Options{})
	if d.Clean() {
		t.Error("a new directory claims a clean stop")
	}
	must(t, d.Close(true))
	d = open(t, m.Crash(nil), Options{})
	if !d.Clean() {
		t.Error("a clean stop was not seen")
	}
	d = open(t, d.FS().(*vfs.Mem).Crash(nil), Options{})
	if d.Clean() {
		t.Error("a crash passed for a clean stop")
	}
}

func TestCheckpointsSurviveACrash(t *testing.T) {
	m := vfs.NewMem()
	d := open(t, m, Options{})
	a, b := addPartition(t, d, "a.topic-with-dashes", commitlog.Config{}), addPartition(t, d, "b", commitlog.Config{})
	a.append(t, 5)
	must(t, d.Flusher.Flush())
	a.append(t, 2) // Not flushed.
	b.append(t, 1)
	must(t, a.SetStart(3))
	must(t, d.Checkpoint())
	m = m.Crash(nil)
	d = open(t, m, Options{})
	got := d.Partition("a.topic-with-dashes", 0)
	if got.RecoveryPoint != 5 || got.LogStart != 3 || got.HighWatermark != 5 || got.Clean {
		t.Errorf("after the crash %+v", got)
	}
	if got := d.Partition("b", 0); got.RecoveryPoint != 0 || got.HighWatermark != 0 {
		t.Errorf("what was never flushed: %+v", got)
	}
	if got := d.Partition("c", 0); got.HighWatermark != -1 || got.RecoveryPoint != 0 {
		t.Errorf("what was never there: %+v", got)
	}
	text, err := vfs.ReadFile(m, path.Join(root, recoveryPointFile))
	must(t, err)
	if string(text) != "0\n2\na.topic-with-dashes 0 5\nb 0 0\n" {
		t.Errorf("%s:\n%s", recoveryPointFile, text)
	}
	a = addPartition(t, d, "a.topic-with-dashes", commitlog.Config{})
	if a.Start() != 3 || a.End() != 5 || a.Recovery().Damaged {
		t.Errorf("the log: %d to %d, damaged %v", a.Start(), a.End(), a.Recovery().Damaged)
	}
	a.entry.Forget()
	must(t, d.Checkpoint())
	if text, _ := vfs.ReadFile(m, path.Join(root, recoveryPointFile)); strings.Contains(string(text), "dashes") {
		t.Errorf("a deleted partition is still there:\n%s", text)
	}
}

// D15 in small: a damaged checkpoint says nothing and stops nothing.
func TestCheckpointGarbageIsIgnored(t *testing.T) {
	for _, text := range []string{"", "\x00\x00\x00", "1\n0\n", "0\n2\na 0 5\n", "0\n1\na 0 x\n", "0\n1\na 0\n", "0\n1\na -1 5\n"} {
		m := vfs.NewMem()
		must(t, vfs.MkdirDurable(m, root))
		must(t, vfs.WriteFile(m, path.Join(root, recoveryPointFile), []byte(text)))
		var out bytes.Buffer
		d := open(t, m, Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
		if got := d.Partition("a", 0).RecoveryPoint; got != commitlog.UnknownRecoveryPoint {
			t.Errorf("%q: recovery point %d", text, got)
		}
		if !strings.Contains(out.String(), recoveryPointFile) {
			t.Errorf("%q: the operator is not told: %s", text, out.String())
		}
	}
}

func TestTopicID(t *testing.T) {
	m := vfs.NewMem()
	d := open(t, m, Options{})
	must(t, d.SetTopicID("t-0", "abcdefghijklmnopqrstuv"))
	d = open(t, m.Crash(nil), Options{})
	id, err := d.TopicID("t-0")
	if err != nil || id != "abcdefghijklmnopqrstuv" {
		t.Errorf("topic id %q, %v", id, err)
	}
	if id, err := d.TopicID("u-0"); id != "" || err != nil {
		t.Errorf("no directory: %q, %v", id, err)
	}
	for range 2 {
		if _, err := d.Stray("t-0"); err != nil {
			t.Fatal(err)
		}
		must(t, d.SetTopicID("t-0", "other"))
	}
	names, err := d.LogNames()
	if err != nil || fmt.Sprint(names) != "[t-0]" {
		t.Errorf("logs %v, %v: strays must not be opened", names, err)
	}
}

func TestFlusherFlushesWhatIsDirty(t *testing.T) {
	for _, partitions := range []int{1, 5, 40} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			m := vfs.NewMem()
			d := open(t, m, Options{})
			running(t, d)
			var all []*partition
			for i := range partitions {
				all = append(all, addPartition(t, d, fmt.Sprintf("t%d", i), commitlog.Config{}))
			}
			for range 20 {
				for _, p := range all {
					p.append(t, 1)
				}
			}
			for _, p := range all {
				must(t, p.await(t))
			}
			after := open(t, m.Crash(nil), Options{})
			for i := range all {
				if p := addPartition(t, after, fmt.Sprintf("t%d", i), commitlog.Config{}); p.End() != 20 {
					t.Errorf("t%d ends at %d after a crash, 20 were flushed", i, p.End())
				}
			}
		})
	}
}

// wholeMem is a disk that can sync as a whole, by syncing nothing: it counts.
type wholeMem struct {
	*vfs.Mem
	syncs int
	err   error
}

func (w *wholeMem) OwnFilesystem(string) bool { return true }
func (w *wholeMem) SyncAll(string) error      { w.syncs++; return w.err }

func TestFlusherCycles(t *testing.T) {
	disk := &wholeMem{Mem: vfs.NewMem()}
	d := open(t, disk, Options{})
	var all []*partition
	for i := range ownGroup + 1 {
		all = append(all, addPartition(t, d, fmt.Sprintf("t%d", i), commitlog.Config{}))
		all[i].append(t, 1)
	}
	g, ok := d.Flusher.Begin()
	if !ok || len(g.entries) != len(all) {
		t.Fatal("nine dirty partitions do not make one cycle")
	}
	all[0].append(t, 1)
	if _, ok := d.Flusher.Begin(); ok {
		t.Error("a flush began beside the cycle")
	}
	g.End(g.Sync())
	if disk.syncs != 1 || all[8].Flushed() != 1 {
		t.Errorf("%d syncs, flushed %d; want 1 and 1", disk.syncs, all[8].Flushed())
	}
	if all[0].Flushed() != 1 {
		t.Errorf("flushed %d: what was appended during the sync counts", all[0].Flushed())
	}
	must(t, d.Flusher.Flush())
	if all[0].Flushed() != 2 || disk.syncs != 1 {
		t.Errorf("flushed %d by %d cycles; want 2, the second on its own", all[0].Flushed(), disk.syncs)
	}
	for _, p := range all {
		p.append(t, 1)
	}
	disk.err = errors.New("disk gone")
	if err := d.Flusher.Flush(); !errors.Is(err, ErrOffline) || all[3].Err() == nil {
		t.Errorf("a cycle that fails: %v, log %v", err, all[3].Err())
	}
}

// D10, this package's part: after a failed fsync the directory is offline for
// good, with all its partitions, and no later flush counts.
func TestD10_FailedSyncIsFinal(t *testing.T) {
	fault := vfs.NewFault(vfs.NewMem())
	offline := make(chan error, 1)
	d := open(t, fault, Options{Offline: func(err error) { offline <- err }})
	running(t, d)
	a, b := addPartition(t, d, "a", commitlog.Config{}), addPartition(t, d, "b", commitlog.Config{})
	a.append(t, 1)
	must(t, a.await(t))
	fault.Add(vfs.Rule{Op: vfs.OpSync, Match: "*.log", At: 1})
	a.append(t, 1)
	if err := a.await(t); !errors.Is(err, ErrOffline) {
		t.Errorf("the flush: %v", err)
	}
	if err := <-offline; !errors.Is(err, ErrOffline) {
		t.Errorf("told: %v", err)
	}
	if err := b.await(t); err == nil && b.Err() == nil {
		t.Error("the other partition was not told")
	}
	if err := b.Append(nil, time.Now()); !errors.Is(err, commitlog.ErrOffline) {
		t.Errorf("append to the other partition: %v", err)
	}
	if a.Flushed() != 1 {
		t.Errorf("flushed %d, want 1", a.Flushed())
	}
	if err := d.Close(true); err == nil {
		t.Error("an offline directory was marked as clean")
	}
}

// An idle directory must not wake up, a changed one writes its checkpoints a
// second later, and retention runs by itself.
func TestRunInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := vfs.NewMem()
		d := open(t, m, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		p := addPartition(t, d, "t", commitlog.Config{RetentionAge: time.Hour, SegmentBytes: 100})
		p.append(t, 10)
		must(t, p.await(t))
		<-time.After(checkpointDelay + time.Millisecond)
		synctest.Wait()
		text, err := vfs.ReadFile(m, path.Join(root, highWatermarkFile))
		must(t, err)
		if string(text) != "0\n1\nt 0 10\n" {
			t.Errorf("high watermarks after a second:\n%s", text)
		}
		<-time.After(time.Hour + 6*time.Minute)
		synctest.Wait()
		if p.Start() != 10 {
			t.Errorf("the log starts at %d, an hour after its retention", p.Start())
		}
		cancel()
		must(t, <-done)
		must(t, p.Close())
		must(t, d.Close(true))
	})
}

// Partitions are flushed when their time comes, not before, and whatever the
// order in which they have said so.
func TestRunFlushesByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, vfs.NewMem(), Options{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		began := time.Now()
		parts := map[time.Duration]*partition{}
		for _, age := range []time.Duration{300, 100, 200, 50, 400} {
			p := addPartition(t, d, fmt.Sprintf("t%d", age), commitlog.Config{})
			p.write(t)
			p.due = began.Add(age * time.Millisecond)
			p.entry.DirtyBy(p.due)
			parts[age] = p
		}
		parts[50].entry.Remove() // It is closed meanwhile.
		parts[200].mu.Lock()
		parts[200].due = began.Add(350 * time.Millisecond) // Its config was changed.
		parts[200].mu.Unlock()
		for _, step := range []struct{ until, flushed time.Duration }{{99, 0}, {101, 100}, {299, 0}, {301, 300}, {349, 0}, {351, 200}, {399, 0}, {401, 400}} {
			<-time.After(time.Until(began.Add(step.until * time.Millisecond)))
			synctest.Wait()
			for age, p := range parts {
				if p.Flushed() == 0 {
					continue
				}
				if age != step.flushed {
					t.Errorf("after %d ms the partition of %d ms is flushed", step.until, age)
				}
				delete(parts, age)
				must(t, p.Close())
			}
			if _, waits := parts[step.flushed]; waits {
				t.Errorf("after %d ms the partition of %d ms is not flushed", step.until, step.flushed)
			}
		}
		cancel()
		must(t, <-done)
		must(t, parts[50].Close())
		must(t, d.Close(false))
	})
}

func TestDirtyAllocatesNothing(t *testing.T) {
	d := open(t, vfs.NewMem(), Options{})
	p := addPartition(t, d, "t", commitlog.Config{})
	p.entry.Dirty()
	if n := testing.AllocsPerRun(100, p.entry.Dirty); n != 0 {
		t.Errorf("Dirty allocates %v times", n)
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte("0\n1\nt 0 5\n"))
	f.Add([]byte("0\n0\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		offsets, err := parseCheckpoint("f", b)
		if err != nil {
			return
		}
		for name, offset := range offsets {
			if _, _, ok := ParseLogName(name); !ok || offset < 0 {
				t.Errorf("%q: %d", name, offset)
			}
		}
	})
}
