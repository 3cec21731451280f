package wait

import "errors"

// ErrClosed is the outcome of an offset that was awaited on a queue that is
// not open, or open for another term.
var ErrClosed = errors.New("wait: queue is closed")

// node links one waiter into one queue. The queue's mutex guards it while it
// is in a list; before and after, it is the waiter's owner's.
type node struct {
	waiter     *Waiter
	queue      *Queue
	list       *list // nil when not linked
	prev, next *node
	at         int64 // offset awaited, or bytes seen so far
	err        error // outcome

	// Of a watch; nil for a waiter's node.
	watch  *Watch
	counts bool // its bytes count for who waits
}

// done settles an offset.
func (n *node) done(err error, woken *Woken) {
	n.err = err
	if n.waiter.arrived(1) {
		woken.add(n.waiter)
	}
}

// list is a doubly linked list through its nodes: no memory of its own.
type list struct{ first, last *node }

// push adds n at the end.
func (l *list) push(n *node) { l.insertAfter(l.last, n) }

// insert adds n in the order of at, searching from the end: offsets are
// awaited in the order they were appended, but for the rare duplicate, which
// waits for its original's.
func (l *list) insert(n *node) {
	after := l.last
	for after != nil && after.at > n.at {
		after = after.prev
	}
	l.insertAfter(after, n)
}

func (l *list) insertAfter(prev, n *node) {
	n.list, n.prev = l, prev
	if prev == nil {
		n.next, l.first = l.first, n
	} else {
		n.next, prev.next = prev.next, n
	}
	if n.next == nil {
		l.last = n
	} else {
		n.next.prev = n
	}
}

func (l *list) remove(n *node) {
	if n.prev == nil {
		l.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.list, n.prev, n.next = nil, nil, nil
}
