package cleaner

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

const logDir = "data/t-0"

var epoch = time.UnixMilli(1_700_000_000_000)

// fatal is the part of testing.TB that rapid.T has too.
type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func must(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a log with producers and transactions, and a cleaner of it.
type bench struct {
	fs      *vfs.Mem
	log     *commitlog.Log
	now     time.Time
	cleaned int64
	keys    *OffsetMap
	last    map[int64]Last
	aborted []Aborted
	first   map[int64]int64 // of the transactions that are open
}

func newBench(t fatal, cfg commitlog.Config) *bench {
	t.Helper()
	fs := vfs.NewMem()
	must(t, vfs.MkdirDurable(fs, "data"))
	b := &bench{fs: fs, now: epoch, keys: NewOffsetMap(1 << 20), last: map[int64]Last{}, first: map[int64]int64{}}
	cfg.Compacted, cfg.KeepAll = true, true
	var err error
	b.log, err = commitlog.Open(fs, logDir, cfg, commitlog.OpenOptions{})
	must(t, err)
	return b
}

// batch is what a test says about a batch.
type batch struct {
	codec    record.Codec
	producer int64 // 0 for none
	epoch    int16
	sequence int32
	txn      bool
	records  []string // "key=value", "key" for a tombstone, "=value" without a key
}

func (w *bench) append(t fatal, b batch) int64 {
	t.Helper()
	var bl record.Builder
	bl.SetCodec(b.codec)
	if b.producer > 0 {
		bl.SetProducer(b.producer, b.epoch, b.sequence)
	}
	bl.SetTransactional(b.txn)
	for _, text := range b.records {
		key, value, ok := strings.Cut(text, "=")
		r := record.Record{Timestamp: w.now.UnixMilli(), Key: []byte(key)}
		if ok {
			r.Value = []byte(value)
		}
		if ok && key == "" {
			r.Key = nil
		}
		bl.Append(r)
	}
	built, err := bl.Build()
	must(t, err)
	base := w.write(t, built)
	if b.producer > 0 {
		w.last[b.producer] = Last{Epoch: b.epoch, LastOffset: base + int64(len(b.records)) - 1}
		if _, open := w.first[b.producer]; b.txn && !open {
			w.first[b.producer] = base
		}
	}
	return base
}

// end appends the marker of a transaction.
func (w *bench) end(t fatal, producer int64, commit bool) int64 {
	t.Helper()
	var bl record.Builder
	bl.SetProducer(producer, w.last[producer].Epoch, -1)
	bl.SetTransactional(true)
	bl.SetControl(true)
	key := make([]byte, 4)
	if commit {
		binary.BigEndian.PutUint16(key[2:], 1)
	}
	bl.Append(record.Record{Timestamp: w.now.UnixMilli(), Key: key, Value: make([]byte, 6)})
	built, err := bl.Build()
	must(t, err)
	base := w.write(t, built)
	if first, open := w.first[producer]; open && !commit {
		w.aborted = append(w.aborted, Aborted{producer, first, base})
	}
	delete(w.first, producer)
	return base
}

func (w *bench) write(t fatal, b record.Batch) (base int64) {
	t.Helper()
	base = w.log.End()
	b = slices.Clone(b)
	b.Stamp(base, 1)
	must(t, w.log.Append([]record.Batch{b}, w.now))
	return base
}

// stable is the last stable offset.
func (w *bench) stable() int64 {
	end := w.log.End()
	for _, first := range w.first {
		end = min(end, first)
	}
	return end
}

// clean runs the cleaner over all that may be cleaned.
func (w *bench) clean(t fatal, retention time.Duration) Result {
	t.Helper()
	must(t, w.log.Flush())
	d, err := Inspect(w.log, Policy{MaxLag: Unlimited}, w.cleaned, w.stable(), w.now)
	must(t, err)
	job := Job{
		Log: w.log, From: d.From, To: d.To, Now: w.now, DeleteRetention: retention, Keys: w.keys, Aborted: w.aborted,
		Last: func(id int64) (Last, bool) { l, ok := w.last[id]; return l, ok },
	}
	result, err := job.Run()
	must(t, err)
	w.cleaned = result.Cleaned
	return result
}

// reopen opens the log as after a stop in order, or a crash.
func (w *bench) reopen(t fatal, clean bool) {
	t.Helper()
	must(t, w.log.Flush())
	at, err := w.log.Checkpoint()
	must(t, err)
	if clean {
		must(t, w.log.Close())
	} else {
		w.fs = w.fs.Crash(nil)
	}
	w.log, err = commitlog.Open(w.fs, logDir, w.log.Config(), commitlog.OpenOptions{Clean: clean, RecoveryPoint: at})
	must(t, err)
}

// dump shows the log, one batch a line: offsets, producer, and the records with
// their offsets; * for a batch with a delete horizon.
func (w *bench) dump(t fatal) string {
	t.Helper()
	var out strings.Builder
	for b, err := range w.log.Batches(w.log.Start(), w.log.End()) {
		must(t, err)
		must(t, b.CheckStored())
		fmt.Fprintf(&out, "%d-%d", b.BaseOffset(), b.LastOffset())
		if b.ProducerID() >= 0 {
			fmt.Fprintf(&out, " p%d", b.ProducerID())
		}
		if _, ok := b.DeleteHorizon(); ok {
			out.WriteString(" *")
		}
		if b.IsControl() {
			out.WriteString(" marker")
		}
		for r, err := range b.Records() {
			must(t, err)
			switch {
			case b.IsControl():
			case r.Key == nil:
				fmt.Fprintf(&out, " %d:=%s", b.BaseOffset()+int64(r.OffsetDelta), r.Value)
			case r.Value == nil:
				fmt.Fprintf(&out, " %d:%s", b.BaseOffset()+int64(r.OffsetDelta), r.Key)
			default:
				fmt.Fprintf(&out, " %d:%s=%s", b.BaseOffset()+int64(r.OffsetDelta), r.Key, r.Value)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func (w *bench) want(t *testing.T, when string, lines ...string) {
	t.Helper()
	if got := w.dump(t); got != strings.Join(lines, "\n")+"\n" {
		t.Errorf("%s:\n%swant:\n%s", when, got, strings.Join(lines, "\n"))
	}
}
