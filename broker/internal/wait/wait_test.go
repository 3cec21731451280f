package wait_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/wait"
)

var errMoved = errors.New("leadership moved")

// TestDialogue runs the scripts of testdata: who waits, what happens, who is
// woken.
func TestDialogue(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newScript()
		datadriven.RunTest(t, path, s.run)
	})
}

func TestCancelAndWakeAreExclusive(t *testing.T) {
	var q wait.Queue
	q.Open(1, 0, 0)
	woken := make(chan struct{}, 1)
	w := wait.New(func() { woken <- struct{}{} })
	for offset := int64(1); offset <= 5000; offset++ {
		w.Begin(0)
		q.AwaitOffset(w, 1, offset)
		var advance sync.WaitGroup
		advance.Go(func() { q.Advance(offset, offset).Wake() })
		if w.Arm() && !w.Cancel() {
			<-woken // a lost wake would hang here
		}
		advance.Wait()
		w.End()
		if len(woken) > 0 {
			t.Fatal("woken although cancelled, or twice")
		}
	}
}

// Waiters over many queues, moved by many goroutines: each is woken exactly
// once and finds everything reached.
func TestConcurrentWaitersOverManyQueues(t *testing.T) {
	const partitions, producers, rounds = 8, 16, 200
	queues := make([]wait.Queue, partitions)
	ends := make([]int64, partitions)
	var mu sync.Mutex // guards ends
	for i := range queues {
		queues[i].Open(1, 0, 0)
	}
	appended := make(chan int, 64)
	var group, flusher sync.WaitGroup
	flusher.Go(func() {
		for p := range appended {
			mu.Lock()
			end := ends[p]
			mu.Unlock()
			queues[p].Advance(end, end).Wake()
		}
	})
	for range producers {
		group.Go(func() {
			woken := make(chan struct{}, 1)
			w := wait.New(func() { woken <- struct{}{} })
			for range rounds {
				w.Begin(0)
				for p := range queues {
					mu.Lock()
					ends[p]++
					offset := ends[p]
					mu.Unlock()
					queues[p].AwaitOffset(w, 1, offset)
					appended <- p
				}
				if w.Arm() {
					<-woken
				}
				w.End()
				for p := range queues {
					if w.Err(p) != nil {
						t.Errorf("woken before partition %d was reached: %v", p, w.Err(p))
					}
				}
			}
		})
	}
	group.Wait()
	close(appended)
	flusher.Wait()
}

// The model: a waiter fires exactly at the step at which nothing is missing.
func TestWakesAsTheModelSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		queues := make([]wait.Queue, 3)
		position := make([]int64, 3)
		for i := range queues {
			queues[i].Open(1, 0, 0)
		}
		type want struct {
			bytes   int64 // 0: a produce
			offsets [3]int64
			from    [3]int64
			fired   int
			w       *wait.Waiter
		}
		var live []*want
		satisfied := func(x *want) bool {
			arrived := int64(0)
			for i := range queues {
				if x.bytes == 0 && position[i] < x.offsets[i] {
					return false
				}
				arrived += position[i] - x.from[i]
			}
			return x.bytes == 0 || arrived >= x.bytes
		}
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				x := &want{bytes: rapid.Int64Range(0, 40).Draw(t, "bytes")}
				x.w = wait.New(func() { x.fired++ })
				x.w.Begin(x.bytes)
				for i := range queues {
					if x.bytes > 0 {
						x.from[i] = max(0, position[i]-rapid.Int64Range(0, 5).Draw(t, "behind"))
						queues[i].AwaitBytes(x.w, 1, x.from[i])
					} else {
						x.offsets[i] = max(0, position[i]+rapid.Int64Range(-3, 30).Draw(t, "offset"))
						queues[i].AwaitOffset(x.w, 1, x.offsets[i])
					}
				}
				if armed := x.w.Arm(); armed == satisfied(x) {
					t.Fatalf("armed %v, satisfied %v", armed, satisfied(x))
				} else if armed {
					live = append(live, x)
				} else {
					x.w.End()
				}
			},
			"advance": func(t *rapid.T) {
				i := rapid.IntRange(0, 2).Draw(t, "queue")
				position[i] += rapid.Int64Range(0, 12).Draw(t, "by")
				queues[i].Advance(position[i], position[i]).Wake()
			},
			"cancel": func(t *rapid.T) {
				if len(live) == 0 {
					return
				}
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				if !live[i].w.Cancel() {
					t.Fatal("a waiter that waits cannot be cancelled")
				}
				live[i].w.End()
				live = slices.Delete(live, i, i+1)
			},
			"": func(t *rapid.T) {
				live = slices.DeleteFunc(live, func(x *want) bool {
					if wants := satisfied(x); (x.fired == 1) != wants || x.fired > 1 {
						t.Fatalf("fired %d times, satisfied %v", x.fired, wants)
					}
					if x.fired == 1 {
						x.w.End()
					}
					return x.fired == 1
				})
			},
		})
	})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	var a, b wait.Queue
	a.Open(1, 0, 0)
	b.Open(1, 0, 0)
	woken := 0
	w := wait.New(func() { woken++ })
	end := int64(0)
	n := testing.AllocsPerRun(100, func() {
		end++
		w.Begin(0)
		a.AwaitOffset(w, 1, end)
		b.AwaitOffset(w, 1, end)
		w.Arm()
		a.Advance(end, end).Wake()
		b.Advance(end, end).Wake()
		w.End()
		w.Begin(10)
		a.AwaitBytes(w, 1, end)
		w.Arm()
		w.Cancel()
		w.End()
	})
	if n != 0 || woken != 101 {
		t.Errorf("%v allocations, woken %d times", n, woken)
	}
}
