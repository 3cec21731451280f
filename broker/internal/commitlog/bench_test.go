package commitlog

import (
	"fmt"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			l := benchLog(b)
			batches := []record.Batch{newBatch(0, 0, 1, 0, string(make([]byte, size-80)))}
			b.SetBytes(int64(len(batches[0])))
			b.ReportAllocs()
			for b.Loop() {
				batches[0].Stamp(l.End(), 0)
				must(b, l.Append(batches, epochZero))
			}
		})
	}
}

// BenchmarkAppend64 is what a partition does for 64 producers: each waits for
// the lock, whoever holds it takes along what is queued.
func BenchmarkAppend64(b *testing.B) {
	l := benchLog(b)
	var q struct {
		sync.Mutex
		sync.Cond
		waiting []record.Batch
		queued  int // batches that ever waited
		done    int // those of them that are written
		writing bool
		writes  int
	}
	q.L = &q.Mutex
	b.SetParallelism(32)
	b.SetBytes(1 << 10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		batch := newBatch(0, 0, 1, 0, string(make([]byte, 950)))
		var drain []record.Batch
		for pb.Next() {
			q.Lock()
			q.waiting = append(q.waiting, batch)
			q.queued++
			turn := q.queued
			for q.done < turn {
				if q.writing {
					q.Wait()
					continue
				}
				q.writing = true
				drain, q.waiting = q.waiting, drain[:0]
				done := q.done
				q.Unlock()
				for i, end := 0, l.End(); i < len(drain); i++ {
					drain[i].Stamp(end+int64(i), 0)
				}
				must(b, l.Append(drain, epochZero))
				q.Lock()
				q.writing = false
				q.writes++
				q.done = done + len(drain)
				q.Broadcast()
			}
			q.Unlock()
		}
	})
	b.ReportMetric(float64(b.N)/float64(max(q.writes, 1)), "batches/write")
}

func BenchmarkRead(b *testing.B) {
	for _, maxBytes := range []int{1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", maxBytes>>10), func(b *testing.B) {
			l := benchLog(b)
			appendN(b, l, 4000, 16<<10)
			buf := make([]byte, 0, 2<<20)
			offset := int64(0)
			b.ReportAllocs()
			var total int64
			for b.Loop() {
				r, err := l.Read(offset, l.End(), maxBytes, true)
				must(b, err)
				out, err := r.AppendTo(buf[:0])
				must(b, err)
				r.Release()
				total += int64(len(out))
				offset += max(1, int64(len(out)/(16<<10)))
				if offset >= l.End()-100 {
					offset = 0
				}
			}
			b.SetBytes(total / int64(b.N))
		})
	}
}

func BenchmarkFlush(b *testing.B) {
	l := benchLog(b)
	batches := []record.Batch{newBatch(0, 0, 1, 0, string(make([]byte, 950)))}
	for b.Loop() {
		batches[0].Stamp(l.End(), 0)
		must(b, l.Append(batches, epochZero))
		must(b, l.Flush())
	}
}

func BenchmarkRecover(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(vfs.OS{}, dir, Config{}, OpenOptions{})
	must(b, err)
	appendN(b, l, 8000, 16<<10)
	size := l.Size()
	must(b, l.Close())
	b.SetBytes(size)
	for b.Loop() {
		l, err := Open(vfs.OS{}, dir, Config{}, OpenOptions{})
		must(b, err)
		l.shut()
	}
}

func benchLog(b *testing.B) *Log {
	l, err := Open(vfs.OS{}, b.TempDir(), Config{SegmentBytes: 256 << 20, RetentionBytes: 1 << 30}, OpenOptions{})
	must(b, err)
	b.Cleanup(func() { l.shut() })
	return l
}
