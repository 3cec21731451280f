package wait

import (
	"errors"
	"sync/atomic"
)

// ErrPending is the outcome of an offset that was not reached before the
// waiter was cancelled.
var ErrPending = errors.New("wait: not reached yet")

// The phases of a waiter. Who moves it out of armed decides its end, so wake
// is called exactly once or never.
//
//	idle ──Arm──> armed ──enough arrived──> fired ──wake──┐
//	  ^             └─────────Cancel──────> cancelled ────┤
//	  └──────────────────────Begin────────────────────────┘
const (
	idle int32 = iota
	armed
	fired
	cancelled
)

// Waiter waits on any number of queues. Begin, the queues' Await calls, Arm
// and End are called by one goroutine at a time, the owner; Cancel by any.
type Waiter struct {
	wake  func()
	phase atomic.Int32
	// missing is what must still arrive: one for each offset awaited, or
	// bytes. The waiter fires when it is armed and nothing is missing.
	missing atomic.Int64

	nodes []*node // used[:] are linked, the rest is kept for the next request
	used  int
	next  *Waiter // in a Woken list; owned by who fired the waiter
}

// New returns a waiter that calls wake, on whatever goroutine makes the last
// thing arrive, without locks held. The function must not block.
func New(wake func()) *Waiter { return &Waiter{wake: wake} }

// Begin starts a new wait, for offsets (need 0) or for need bytes more than
// have arrived already.
func (w *Waiter) Begin(need int64) {
	w.phase.Store(idle)
	w.missing.Store(need)
	w.used = 0
}

// Arm reports whether there is something to wait for. True: wake will be
// called unless Cancel comes first. False: everything has arrived, and wake is
// not called.
func (w *Waiter) Arm() bool {
	w.phase.Store(armed)
	return w.missing.Load() > 0 || !w.phase.CompareAndSwap(armed, cancelled)
}

// Cancel ends the wait before its time. It returns false if the waiter has
// fired: then wake has been or will be called.
func (w *Waiter) Cancel() bool { return w.phase.CompareAndSwap(armed, cancelled) }

// End takes the waiter off its queues. It is called after wake, after a
// successful Cancel or after Arm returned false, and before the next Begin.
func (w *Waiter) End() {
	for _, n := range w.nodes[:w.used] {
		n.queue.remove(n)
	}
}

// Err is the outcome of the i-th offset awaited: nil if it was reached, the
// queue's failure, or ErrPending. It is valid between End and Begin.
func (w *Waiter) Err(i int) error {
	if i >= w.used {
		return ErrPending
	}
	return w.nodes[i].err
}

// arrived takes n off what is missing and reports whether the caller has
// fired the waiter: then it must see to the wake.
func (w *Waiter) arrived(n int64) bool {
	return w.missing.Add(-n) <= 0 && w.phase.CompareAndSwap(armed, fired)
}

// node takes one from the waiter's store.
func (w *Waiter) node(q *Queue) *node {
	if w.used == len(w.nodes) {
		w.nodes = append(w.nodes, &node{waiter: w})
	}
	n := w.nodes[w.used]
	w.used++
	n.queue = q
	n.err = ErrPending
	return n
}

// Woken is a list of waiters that have fired and are to be woken.
type Woken struct{ first *Waiter }

// Wake calls the wake functions. The caller holds no lock.
func (l Woken) Wake() {
	for w := l.first; w != nil; {
		next := w.next // the owner may use the waiter again once it is woken
		w.next = nil
		w.wake()
		w = next
	}
}

// Join adds another list, such as that of a second queue.
func (l *Woken) Join(other Woken) {
	for w := other.first; w != nil; {
		next := w.next
		l.add(w)
		w = next
	}
}

func (l *Woken) add(w *Waiter) {
	w.next = l.first
	l.first = w
}
