package replica

import (
	"sync"

	"github.com/millrace-io/millrace/internal/record"
)

// pending is one Append on its way through the queue. Who drains fills in the
// outcome; the partition's mutex carries it to who waits for it.
type pending struct {
	batch   record.Batch
	request AppendRequest
	result  AppendResult
	err     error
	written bool // part of the drain's write, or the duplicate of a part
	done    bool
}

// queue collects the appends that arrive while one is being written. It has a
// mutex of its own, since the partition's is held over the write.
type queue struct {
	mu   sync.Mutex
	list []*pending // in the order of arrival
	free []*pending // for reuse
}

func (q *queue) put(b record.Batch, r AppendRequest) *pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	var p *pending
	if n := len(q.free); n > 0 {
		p, q.free = q.free[n-1], q.free[:n-1]
	} else {
		p = new(pending)
	}
	*p = pending{batch: b, request: r}
	q.list = append(q.list, p)
	return p
}

// take moves everything that waits behind into, in order.
func (q *queue) take(into []*pending) []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	into = append(into, q.list...)
	clear(q.list)
	q.list = q.list[:0]
	return into
}

// recycle takes back what put handed out, once its outcome was read.
func (q *queue) recycle(p *pending) {
	*p = pending{}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free = append(q.free, p)
}
