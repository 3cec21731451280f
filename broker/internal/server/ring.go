package server

import (
	"sync"
	"time"
)

// ringSize bounds the replies of a connection that are waiting or ready and
// not yet encoded. Beyond it the reader stops reading.
const ringSize = 64

// slot is a reply in its place, and what is counted when it leaves.
type slot struct {
	reply    Reply
	key      int16
	received time.Time
}

// ring holds the replies of a connection in the order of their requests. The
// reader pushes, the writer pops; its mutex guards the fields beneath it and
// is never held over a call into a reply that could block.
type ring struct {
	mu     sync.Mutex
	slots  [ringSize]slot
	head   int
	n      int
	only   bool // only Produce replies are in the ring
	closed bool

	// moved is poked when replies were popped, for a reader that waits.
	moved chan struct{}
}

func (r *ring) init() { r.moved = make(chan struct{}, 1) }

// admits says whether a request with that key may start now.
func (r *ring) admits(produce bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n == 0 || produce && r.only && r.n < ringSize
}

func (r *ring) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n == 0
}

// push appends a reply and says whether it is at the head. It is not ok if
// the ring was closed meanwhile: the reply stays the caller's.
func (r *ring) push(s slot, produce bool) (first, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, false
	}
	r.only = produce && (r.n == 0 || r.only)
	r.slots[(r.head+r.n)%ringSize] = s
	r.n++
	return r.n == 1, true
}

// peek returns the reply at the head, nil if there is none, and whether it
// answers a Produce.
func (r *ring) peek() (head Reply, produce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == 0 {
		return nil, false
	}
	return r.slots[r.head].reply, r.only
}

// take appends to dst the replies at the head that are ready. They stay in
// the ring until drop, so that nothing else starts before they are encoded.
func (r *ring) take(dst []slot) []slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.n {
		s := r.slots[(r.head+i)%ringSize]
		if !s.reply.Ready() {
			break
		}
		dst = append(dst, s)
	}
	return dst
}

// drop removes the first n replies and lets a waiting reader go on.
func (r *ring) drop(n int) {
	r.mu.Lock()
	for range n {
		r.slots[r.head] = slot{}
		r.head = (r.head + 1) % ringSize
		r.n--
	}
	r.mu.Unlock()
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// close refuses further replies and returns those that were left.
func (r *ring) close() []slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	left := make([]slot, 0, r.n)
	for i := range r.n {
		left = append(left, r.slots[(r.head+i)%ringSize])
	}
	r.n = 0
	return left
}
