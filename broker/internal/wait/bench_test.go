package wait_test

import (
	"fmt"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/wait"
)

// BenchmarkAddAndWake keeps n waiters on a queue; each advance wakes the
// first, which joins again at the end: the cost must not depend on n.
func BenchmarkAddAndWake(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var q wait.Queue
			q.Open(1, 0, 0)
			waiters := make([]*wait.Waiter, n)
			join := func(i int) {
				w := waiters[i%n]
				w.Begin(0)
				q.AwaitOffset(w, 1, int64(i)+1)
				w.Arm()
			}
			for i := range waiters {
				waiters[i] = wait.New(func() {})
				join(i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q.Advance(int64(i)+1, 0).Wake()
				waiters[i%n].End()
				join(i + n)
			}
		})
	}
}

// BenchmarkCancel cancels one of n.
func BenchmarkCancel(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var q wait.Queue
			q.Open(1, 0, 0)
			waiters := make([]*wait.Waiter, n)
			for i := range waiters {
				waiters[i] = wait.New(func() {})
				waiters[i].Begin(1)
				q.AwaitBytes(waiters[i], 1, 0)
				waiters[i].Arm()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w := waiters[i%n]
				w.Cancel()
				w.End()
				w.Begin(1)
				q.AwaitBytes(w, 1, 0)
				w.Arm()
			}
		})
	}
}
