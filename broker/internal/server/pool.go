package server

import (
	"math/bits"
	"sync"
)

// Buffers are pooled in classes of powers of two. What is larger than the
// largest class is rare, and left to the collector.
const (
	minClass = 10 // 1 KiB
	maxClass = 23 // 8 MiB
)

// buffer is a pooled byte slice. The pointer travels, so that handing one out
// does not allocate.
type buffer struct{ b []byte }

type pool struct {
	classes [maxClass - minClass + 1]sync.Pool
}

// get returns a buffer of length n, with the capacity of its class.
func (p *pool) get(n int) *buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), minClass)
	if class > maxClass {
		return &buffer{b: make([]byte, n)}
	}
	if buf, ok := p.classes[class-minClass].Get().(*buffer); ok {
		buf.b = buf.b[:n]
		return buf
	}
	return &buffer{b: make([]byte, n, 1<<class)}
}

// put takes a buffer back, into the largest class that its capacity fills.
func (p *pool) put(buf *buffer) {
	class := bits.Len(uint(cap(buf.b))) - 1
	if class < minClass || class > maxClass {
		return
	}
	p.classes[class-minClass].Put(buf)
}
