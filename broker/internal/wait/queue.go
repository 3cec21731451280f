package wait

import "sync"

// Queue holds who waits for one partition, or for one of its positions. Its
// zero value is closed: what is awaited on it ends with ErrClosed.
type Queue struct {
	mu     sync.Mutex
	open   bool
	err    error // why it is not open
	term   int32 // the leader epoch that it was opened for
	offset int64 // reached so far
	bytes  int64 // before offset, counted from any fixed point

	offsets list // awaited offsets, rising
	readers list // awaited bytes
	// watchers stay when the queue is closed: it may be opened again.
	watchers list
}

// Open lets waiters in at the given position. A term, such as a leader epoch,
// says under whom an offset was appended: an offset of another term is not
// waited for, since other records may stand there. A queue that is open takes
// the new term and keeps its position and who waits: the same leader goes on
// with the same log. Who watches is told.
func (q *Queue) Open(term int32, offset, bytes int64) Woken {
	var woken Woken
	q.mu.Lock()
	defer q.mu.Unlock()
	q.term = term
	if !q.open {
		q.open, q.err = true, nil
		q.offset, q.bytes = offset, bytes
	}
	q.tellWatchers(true, &woken)
	return woken
}

// AwaitOffset adds an offset to what w waits for: it is reached when Advance
// has come to it or beyond.
func (q *Queue) AwaitOffset(w *Waiter, term int32, offset int64) {
	n := w.node(q)
	w.missing.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.holds(term):
		n.err = q.reason()
		w.missing.Add(-1) // not armed yet: Arm sees it
	case offset <= q.offset:
		n.err = nil
		w.missing.Add(-1)
	default:
		n.at = offset
		q.offsets.insert(n)
	}
}

// AwaitBytes adds the bytes that arrive behind position from to what w waits
// for. A queue that is closed or of another term ends the wait at once.
func (q *Queue) AwaitBytes(w *Waiter, term int32, from int64) {
	n := w.node(q)
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.holds(term) {
		w.missing.Store(0)
		return
	}
	w.missing.Add(-max(0, q.bytes-from))
	n.at = max(from, q.bytes)
	q.readers.push(n)
}

// Advance moves the queue's position. One that is behind is ignored.
func (q *Queue) Advance(offset, bytes int64) Woken {
	var woken Woken
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.open {
		return woken
	}
	moved := offset > q.offset || bytes > q.bytes
	if offset > q.offset {
		q.offset = offset
		for n := q.offsets.first; n != nil && n.at <= offset; n = q.offsets.first {
			q.offsets.remove(n)
			n.done(nil, &woken)
		}
	}
	if bytes > q.bytes {
		q.bytes = bytes
		for n := q.readers.first; n != nil; n = n.next {
			grown := bytes - n.at
			n.at = bytes
			if n.waiter.arrived(grown) {
				woken.add(n.waiter)
			}
		}
	}
	if moved {
		q.tellWatchers(false, &woken)
	}
	return woken
}

// Fail closes the queue, for a lost leadership, a deletion or a broken disk.
// Every offset awaited ends with err; every reader is woken, and who watches
// is told.
func (q *Queue) Fail(err error) Woken {
	var woken Woken
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open, q.err = false, err
	for n := q.offsets.first; n != nil; n = q.offsets.first {
		q.offsets.remove(n)
		n.done(err, &woken)
	}
	q.wakeReaders(&woken)
	return woken
}

// WakeReaders ends the wait of every reader, for a change that the position
// does not show, such as a log start that moved.
func (q *Queue) WakeReaders() Woken {
	var woken Woken
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeReaders(&woken)
	return woken
}

func (q *Queue) wakeReaders(woken *Woken) {
	for n := q.readers.first; n != nil; n = q.readers.first {
		q.readers.remove(n)
		if n.waiter.arrived(n.waiter.missing.Load()) {
			woken.add(n.waiter)
		}
	}
	q.tellWatchers(true, woken)
}

// holds reports whether the queue is open for this term.
func (q *Queue) holds(term int32) bool { return q.open && q.term == term }

// reason is why the queue does not hold a term.
func (q *Queue) reason() error {
	if q.err != nil {
		return q.err
	}
	return ErrClosed
}

func (q *Queue) remove(n *node) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n.list != nil {
		n.list.remove(n)
	}
}
