package replica_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// onDisk leads a partition in a temporary directory.
func onDisk(tb testing.TB, c replica.Config) (*world, *replica.Partition) {
	tb.Helper()
	tb.Chdir(tb.TempDir())
	w := newWorld(vfs.OS{})
	return w, w.lead(tb, c, 1)
}

func TestAppendAndReadAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w, p := onDisk(t, replica.Config{})
	defer w.set.Close()
	sequence := int32(0)
	b := batch(t, 7, 0, 0, 1, "value")
	waiter := wait.New(func() {})
	// Past a few index entries, so that all lists have their room.
	for range 2000 {
		appendNext(t, p, b, &sequence)
	}
	w.flush()
	if n := testing.AllocsPerRun(200, func() {
		r := appendNext(t, p, b, &sequence)
		waiter.Begin(0)
		p.Await(waiter, r)
		waiter.Arm()
		waiter.Cancel()
		waiter.End()
	}); n != 0 {
		t.Errorf("an append allocates %v times", n)
	}
	w.flush()
	if n := testing.AllocsPerRun(200, func() {
		r, err := p.Read(replica.ReadRequest{Offset: 900, MaxBytes: 16 << 10, CurrentEpoch: 1, LastFetchedEpoch: 1})
		if err != nil || r.Range.Size() == 0 {
			t.Fatal(r.Range.Size(), err)
		}
		r.Range.Release()
		waiter.Begin(1)
		p.AwaitBytes(waiter, r)
		waiter.Arm()
		waiter.Cancel()
		waiter.End()
	}); n != 0 {
		t.Errorf("a read allocates %v times", n)
	}
}

// appendNext sends the same batch with the next sequence, as a producer would
// the next batch; the CRC is not looked at here.
func appendNext(tb fatal, p *replica.Partition, b record.Batch, sequence *int32) replica.AppendResult {
	setSequence(b, *sequence)
	*sequence++
	return mustAppend(tb, p, b)
}

func setSequence(b record.Batch, s int32) {
	b[53], b[54], b[55], b[56] = byte(s>>24), byte(s>>16), byte(s>>8), byte(s)
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			w, p := onDisk(b, replica.Config{PageCache: true})
			defer w.set.Close()
			x := batch(b, 7, 0, 0, 1, string(make([]byte, size)))
			sequence := int32(0)
			b.SetBytes(int64(len(x)))
			b.ReportAllocs()
			for b.Loop() {
				appendNext(b, p, x, &sequence)
			}
		})
	}
}

func BenchmarkAppendParallel64(b *testing.B) {
	w, p := onDisk(b, replica.Config{PageCache: true})
	defer w.set.Close()
	var ids atomic.Int64
	b.SetParallelism(32) // times two processors
	b.SetBytes(1 << 10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		x := batch(b, ids.Add(1), 0, 0, 1, string(make([]byte, 1<<10)))
		sequence := int32(0)
		for pb.Next() {
			appendNext(b, p, x, &sequence)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	w, p := onDisk(b, replica.Config{})
	defer w.set.Close()
	x := batch(b, -1, -1, -1, 1, string(make([]byte, 1<<10)))
	for range 4096 {
		mustAppend(b, p, x)
	}
	w.flush()
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		r, err := p.Read(replica.ReadRequest{Offset: i * 31 % 4096, MaxBytes: 64 << 10, MinOne: true, CurrentEpoch: -1, LastFetchedEpoch: -1})
		if err != nil {
			b.Fatal(err)
		}
		r.Range.Release()
	}
}
