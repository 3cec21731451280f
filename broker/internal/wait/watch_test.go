package wait_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/wait"
)

// watched is a set over some queues, by number.
type watched struct {
	set     wait.Watches
	queues  []wait.Queue
	watches []wait.Watch
}

func watch(n int) *watched {
	w := &watched{queues: make([]wait.Queue, n), watches: make([]wait.Watch, n)}
	for i := range w.queues {
		w.queues[i].Open(1, 0, 0).Wake()
		w.watches[i].Owner = i
		w.queues[i].Watch(&w.watches[i], &w.set)
	}
	return w
}

// moved says which have moved, in order.
func (w *watched) moved() string {
	var all []string
	w.set.Moved(func(m *wait.Watch) { all = append(all, fmt.Sprint(m.Owner)) })
	return strings.Join(all, " ")
}

func TestWatchesTellWhatHasMoved(t *testing.T) {
	w := watch(4)
	expect := func(want string) {
		t.Helper()
		if got := w.moved(); got != want {
			t.Errorf("%q moved, want %q", got, want)
		}
	}
	expect("")
	w.queues[2].Advance(1, 10).Wake()
	w.queues[0].Advance(1, 10).Wake()
	w.queues[2].Advance(2, 20).Wake()
	expect("2 0")
	expect("")
	w.queues[1].Advance(0, 0).Wake() // not a move
	expect("")
	w.queues[3].Fail(errors.New("moved away")).Wake()
	expect("3")
	w.queues[3].Advance(1, 10).Wake() // it is closed
	expect("")
	w.queues[3].Open(2, 1, 10).Wake()
	w.queues[1].WakeReaders().Wake()
	expect("3 1")
	w.queues[3].Open(3, 1, 10).Wake() // the same leader again: epochs count
	expect("3")
	for i := range 4 {
		w.queues[i].Advance(9, 90).Wake()
	}
	w.watches[1].Unlink()
	w.watches[3].Unlink()
	expect("0 2")
	for i := range 4 {
		w.queues[i].Advance(10, 100).Wake()
	}
	expect("0 2")
	w.watches[1].Unlink() // once more does nothing
}

func TestWatchesWakeWhoWaits(t *testing.T) {
	w := watch(2)
	woken := 0
	waiter := wait.New(func() { woken++ })
	begin := func(need int64) bool {
		waiter.Begin(need)
		return w.set.Await(waiter) && waiter.Arm()
	}
	if !begin(30) {
		t.Fatal("nothing has moved, and there is no wait")
	}
	w.queues[0].Advance(1, 10).Wake()
	w.queues[1].Advance(1, 10).Wake()
	if woken != 0 {
		t.Fatal("woken by 20 of 30 bytes")
	}
	w.queues[0].Advance(2, 20).Wake()
	if woken != 1 {
		t.Fatalf("woken %d times by 30 bytes", woken)
	}
	w.set.End()
	w.queues[0].Advance(3, 30).Wake()
	if woken != 1 {
		t.Fatal("woken after the end")
	}
	if begin(1) {
		t.Fatal("a wait beside what has moved and was not looked at")
	}
	w.moved()
	if !begin(1000) {
		t.Fatal("no wait after the look")
	}
	w.queues[1].Fail(errors.New("gone")).Wake()
	if woken != 2 {
		t.Fatal("not woken by the end of a queue")
	}
	w.set.End()
}

func TestASecondQueueIsToldAndNotCounted(t *testing.T) {
	var set wait.Watches
	var stable, visible wait.Queue
	stable.Open(1, 0, 0).Wake()
	visible.Open(1, 0, 0).Wake()
	w := wait.Watch{Owner: 1}
	stable.Watch(&w, &set)
	visible.WatchAlso(&w, &set)
	woken := 0
	waiter := wait.New(func() { woken++ })
	waiter.Begin(5)
	if !set.Await(waiter) || !waiter.Arm() {
		t.Fatal("no wait")
	}
	visible.Advance(9, 90).Wake()
	if woken != 0 {
		t.Error("bytes that cannot be read yet were counted")
	}
	stable.Advance(9, 90).Wake()
	if woken != 1 {
		t.Error("bytes that can be read were not")
	}
	set.End()
	told := 0
	set.Moved(func(*wait.Watch) { told++ })
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	w.Unlink()
	visible.Advance(10, 100).Wake()
	set.Moved(func(*wait.Watch) { t.Error("told after Unlink") })
}

// No move is lost between look and wait, whatever the interleaving: in the end
// the reader has seen every position.
func TestNoMoveIsLost(t *testing.T) {
	const queues, moves = 5, 400
	w := watch(queues)
	var reached [queues]struct {
		sync.Mutex
		at int64
	}
	var writers sync.WaitGroup
	for i := range queues {
		writers.Go(func() {
			for at := int64(1); at <= moves; at++ {
				reached[i].Lock()
				reached[i].at = at
				reached[i].Unlock()
				w.queues[i].Advance(at, at).Wake()
				if rand.IntN(8) == 0 {
					w.queues[i].WakeReaders().Wake()
				}
			}
		})
	}
	seen := make([]int64, queues)
	poke := make(chan struct{}, 1)
	waiter := wait.New(func() { poke <- struct{}{} })
	for slices.Min(seen) < moves {
		var due []int
		w.set.Moved(func(m *wait.Watch) { due = append(due, m.Owner.(int)) })
		for _, i := range due {
			reached[i].Lock()
			seen[i] = reached[i].at
			reached[i].Unlock()
		}
		if slices.Min(seen) == moves {
			break
		}
		waiter.Begin(1)
		if !w.set.Await(waiter) {
			waiter.End()
			continue
		}
		if waiter.Arm() {
			<-poke
		}
		w.set.End()
		waiter.End()
	}
	writers.Wait()
}

// BenchmarkSession is a look at a set of n queues of which one moves.
func BenchmarkSession(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := watch(n)
			b.ReportAllocs()
			for i := int64(1); b.Loop(); i++ {
				w.queues[i%int64(n)].Advance(i, i).Wake()
				w.set.Moved(func(*wait.Watch) {})
			}
		})
	}
}
