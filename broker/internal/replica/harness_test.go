package replica_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fatal is the part of testing.TB that rapid.T has too.
type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var start = time.UnixMilli(1_700_000_000_000)

// world is one broker's disk, clock and flusher, moved by the test.
type world struct {
	fs     vfs.FS
	now    time.Time
	set    *replica.Set
	places map[string]replica.Place

	mu    sync.Mutex
	dirty []*replica.Partition
}

func newWorld(fsys vfs.FS) *world {
	if err := errors.Join(fsys.MkdirAll("data", 0o755), fsys.SyncDir(".")); err != nil {
		panic(err)
	}
	w := &world{fs: fsys, now: start, places: map[string]replica.Place{}}
	w.boot()
	return w
}

// boot begins anew with what the disk and the checkpoints hold.
func (w *world) boot() {
	w.dirty = nil
	w.set = replica.NewSet(replica.Deps{
		Broker: 1, FS: w.fs, Files: vfs.NewFileCache(w.fs, 0), Disk: w,
		Now: func() time.Time { return w.now }, ProducerExpiry: 24 * time.Hour,
		Logger: slog.New(slog.DiscardHandler), Parallel: 1,
	})
}

func (w *world) Place(topic string, _ replica.TopicID, partition int32) (replica.Place, error) {
	dir := fmt.Sprintf("data/%s-%d", topic, partition)
	place := w.places[dir]
	place.Dir = dir
	unclean := place
	unclean.Clean = false // the mark is removed before anything else
	w.places[dir] = unclean
	return place, nil
}

func (w *world) Dirty(p *replica.Partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.dirty, p) {
		w.dirty = append(w.dirty, p)
	}
}

func (w *world) DirtyBy(*replica.Partition, time.Time) {}

func (w *world) Forget(p *replica.Partition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirty = slices.DeleteFunc(w.dirty, func(x *replica.Partition) bool { return x == p })
}

// flush flushes what is dirty, and reports whether anything was.
func (w *world) flush() bool {
	w.mu.Lock()
	dirty := w.dirty
	w.dirty = nil
	w.mu.Unlock()
	for _, p := range dirty {
		f := p.Capture()
		if err := f.Sync(); err != nil {
			p.FlushFailed(err)
		} else if err := p.FlushDone(f); err != nil {
			panic(err)
		}
	}
	return len(dirty) > 0
}

// checkpointOne stores what the data directory would.
func (w *world) checkpointOne(t fatal, p *replica.Partition, clean bool) {
	t.Helper()
	recovery, first, hw, err := p.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	w.places[p.Dir()] = replica.Place{Clean: clean, RecoveryPoint: recovery, LogStart: first, HighWatermark: hw}
}

// restart stops the broker in order and starts it again.
func (w *world) restart(t fatal) {
	t.Helper()
	all := slices.Collect(w.set.All())
	if err := w.set.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		w.places[p.Dir()] = replica.Place{Clean: true, RecoveryPoint: p.LogEnd(), LogStart: p.LogStart(), HighWatermark: p.HighWatermark()}
	}
	w.boot()
}

var topicID = replica.TopicID{1, 2, 3}

func assignment(c replica.Config, epoch int32) replica.Assignment {
	return replica.Assignment{Topic: "t", TopicID: topicID, Config: c, Leadership: leads(1, epoch)}
}

// leads makes broker the leader; each epoch is a new partition epoch too.
func leads(broker, epoch int32) replica.Leadership {
	return replica.Leadership{Leader: broker, LeaderEpoch: epoch, PartitionEpoch: epoch, Replicas: []int32{1}, ISR: []int32{1}}
}

// lead opens t-0 and makes this broker its leader.
func (w *world) lead(t fatal, c replica.Config, epoch int32) *replica.Partition {
	t.Helper()
	if err := w.set.Apply([]replica.Assignment{assignment(c, epoch)}); err != nil {
		t.Fatal(err)
	}
	w.flush()
	p, ok := w.set.Partition("t", 0)
	if !ok {
		t.Fatal("t-0 is not in the set")
	}
	return p
}

// batch builds one of n records; id -1 for no producer.
func batch(t fatal, id int64, epoch int16, sequence int32, n int, value string) record.Batch {
	t.Helper()
	var bl record.Builder
	if id >= 0 {
		bl.SetProducer(id, epoch, sequence)
	}
	for i := range n {
		bl.Append(record.Record{Timestamp: start.UnixMilli() + int64(i), Value: []byte(value)})
	}
	b, err := bl.Build()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b)
}

func plain(t fatal, n int) record.Batch { return batch(t, -1, -1, -1, n, "value") }

var anyEpoch = replica.AppendRequest{Acks: replica.AcksAll, LeaderEpoch: -1}

func mustAppend(t fatal, p *replica.Partition, b record.Batch) replica.AppendResult {
	t.Helper()
	r, err := p.Append(b, anyEpoch)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(offset int64) replica.ReadRequest {
	return replica.ReadRequest{Offset: offset, MaxBytes: 1 << 20, MinOne: true, CurrentEpoch: -1, LastFetchedEpoch: -1}
}

// contents reads every visible batch from the log's start.
func contents(t fatal, p *replica.Partition) []record.Batch {
	t.Helper()
	var out []record.Batch
	for offset := p.LogStart(); ; {
		r, err := p.Read(read(offset))
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := r.Range.AppendTo(nil)
		r.Range.Release()
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes) == 0 {
			return out
		}
		for len(bytes) > 0 {
			var b record.Batch
			if b, bytes, err = record.Next(bytes); err != nil {
				t.Fatal(err)
			}
			if err := b.Check(); err != nil {
				t.Fatal(err)
			}
			out = append(out, b)
			offset = b.LastOffset() + 1
		}
	}
}

// waits runs one wait and returns it with a count of its wakes.
func waits(need int64, add func(*wait.Waiter)) (*wait.Waiter, *int, bool) {
	woken := new(int)
	w := wait.New(func() { *woken++ })
	w.Begin(need)
	add(w)
	return w, woken, w.Arm()
}

var _ replica.Disk = (*world)(nil)

var _ replica.Disk = (*world)(nil)
