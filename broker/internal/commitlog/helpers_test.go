package commitlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

const testDir = "data/t-0"

var epochZero = time.UnixMilli(1_700_000_000_000)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, fsys vfs.FS, cfg Config, opts OpenOptions) *Log {
	t.Helper()
	l, err := Open(fsys, testDir, cfg, opts)
	must(t, err)
	return l
}

// newBatch builds a batch of n records; value makes it tell-tale.
func newBatch(base int64, epoch int32, n int, ts int64, value string) record.Batch {
	var bl record.Builder
	for i := range n {
		bl.Append(record.Record{Timestamp: ts + int64(i), Key: []byte("k"), Value: []byte(value)})
	}
	b, err := bl.Build()
	if err != nil {
		panic(err)
	}
	b.Stamp(base, epoch)
	return b
}

// appendN appends batches of one record each, with values of size bytes, each
// by its own Append, a second of record time apart.
func appendN(t testing.TB, l *Log, n, size int) []record.Batch {
	t.Helper()
	var batches []record.Batch
	for range n {
		end := l.End()
		b := newBatch(end, 0, 1, epochZero.UnixMilli()+1000*end, string(bytes.Repeat([]byte{'a' + byte(end%26)}, size)))
		must(t, l.Append([]record.Batch{b}, epochZero))
		batches = append(batches, b)
	}
	return batches
}

// dump lists what a log holds, one batch a line.
func dump(t testing.TB, l *Log) string {
	t.Helper()
	var out bytes.Buffer
	for b, err := range l.Batches(l.Start(), l.End()) {
		must(t, err)
		must(t, b.CheckStored())
		fmt.Fprintf(&out, "%d-%d e%d crc %08x\n", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.CRC())
	}
	return out.String()
}

func lines(batches []record.Batch) string {
	var out bytes.Buffer
	for _, b := range batches {
		fmt.Fprintf(&out, "%d-%d e%d crc %08x\n", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.CRC())
	}
	return out.String()
}

// edit changes a file behind the log's back, durably.
func edit(t testing.TB, fsys vfs.FS, name string, change func(b []byte) []byte) {
	t.Helper()
	b, err := vfs.ReadFile(fsys, name)
	must(t, err)
	b = change(b)
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_TRUNC, 0)
	must(t, err)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

func names(t testing.TB, fsys vfs.FS) []string {
	t.Helper()
	entries, err := fsys.ReadDir(testDir)
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// logged collects what a log tells its operator.
func logged() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return slog.New(slog.NewTextHandler(&out, nil)), &out
}

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// newDisk is a disk in memory with the directory that holds the log's.
func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	must(t, m.MkdirAll("data", 0o755))
	must(t, m.SyncDir("/"))
	return m
}
