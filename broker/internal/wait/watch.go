package wait

import "sync"

// Watches is a set of queues that one reader comes back to again and again,
// such as a fetch session (KIP-227). It is told which of them have moved, so
// that a look at the set costs what has changed and not what is watched. The
// zero Watches is empty.
type Watches struct {
	mu          sync.Mutex
	first, last *Watch  // those that have moved, in the order in which they did
	waiter      *Waiter // who waits for any of them; nil for nobody
}

// Watch links a set to one position, or to two: one whose bytes count for a
// waiter, and one that is only looked at.
type Watch struct {
	// Owner is what the watch is about, for whoever it is told to.
	Owner any

	set   *Watches
	bytes node
	also  node
	// moved and next are guarded by the set's mutex.
	moved bool
	next  *Watch
}

// Watch tells w of every change of the queue, until Unlink. What was before is
// not told: the caller looks after it has linked.
func (q *Queue) Watch(w *Watch, set *Watches) {
	w.bytes.watch, w.bytes.counts = w, true
	q.watch(&w.bytes, w, set)
}

// WatchAlso tells w of the changes of a second queue, whose bytes are not
// counted.
func (q *Queue) WatchAlso(w *Watch, set *Watches) {
	w.also.watch, w.also.counts = w, false
	q.watch(&w.also, w, set)
}

func (q *Queue) watch(n *node, w *Watch, set *Watches) {
	if w.set != set { // Another queue may be telling it already.
		w.set = set
	}
	n.queue = q
	q.mu.Lock()
	defer q.mu.Unlock()
	n.at = q.bytes
	q.watchers.push(n)
}

// Unlink takes the watch off its queues, and forgets that it has moved.
func (w *Watch) Unlink() {
	for _, n := range [...]*node{&w.bytes, &w.also} {
		if n.queue != nil {
			n.queue.remove(n)
			n.queue = nil
		}
	}
	if w.set != nil {
		w.set.forget(w)
	}
}

// Moved calls do for every watch that has moved since the last call, once. It
// holds the set's mutex meanwhile.
func (s *Watches) Moved(do func(*Watch)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.first; w != nil; {
		next := w.next
		w.moved, w.next = false, nil
		do(w)
		w = next
	}
	s.first, s.last = nil, nil
}

// Await lets w wait for the bytes that the set's queues grow by; Begin comes
// before it and Arm after. It refuses, and nothing is waited for, if something
// has moved that Moved has not told yet.
func (s *Watches) Await(w *Waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != nil {
		return false
	}
	s.waiter = w
	return true
}

// End ends the wait: afterwards the waiter is not touched any more.
func (s *Watches) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiter = nil
}

// tell notes that a watch has moved, by some bytes or in a way that its reader
// should hear of at once.
func (s *Watches) tell(w *Watch, grown int64, urgent bool, woken *Woken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.moved {
		w.moved = true
		if s.last == nil {
			s.first = w
		} else {
			s.last.next = w
		}
		s.last = w
	}
	if s.waiter == nil {
		return
	}
	if urgent {
		grown = s.waiter.missing.Load()
	}
	if grown > 0 && s.waiter.arrived(grown) {
		woken.add(s.waiter)
	}
}

// forget takes a watch out of the list of those that have moved.
func (s *Watches) forget(w *Watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.moved {
		return
	}
	var before *Watch
	for at := s.first; at != w; at = at.next {
		before = at
	}
	if before == nil {
		s.first = w.next
	} else {
		before.next = w.next
	}
	if s.last == w {
		s.last = before
	}
	w.moved, w.next = false, nil
}

// tellWatchers tells everyone who watches the queue.
func (q *Queue) tellWatchers(urgent bool, woken *Woken) {
	for n := q.watchers.first; n != nil; n = n.next {
		grown := int64(0)
		if n.counts {
			grown = q.bytes - n.at
		}
		n.at = q.bytes
		n.watch.set.tell(n.watch, grown, urgent, woken)
	}
}
