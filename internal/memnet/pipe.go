package memnet

import (
	"io"
	"sync"
)

// bufferSize is what one direction of a connection holds. It is in the order
// of a socket's buffers, so that a slow reader is felt as on a socket.
const bufferSize = 256 << 10

// firstBuffer is the size a buffer starts with: most connections carry small
// frames.
const firstBuffer = 4 << 10

// pipe is one direction of a connection: a ring buffer with one reading and
// one writing end. Its calls never block; who has to wait does so on readable
// or writable without the lock, and then calls again.
type pipe struct {
	// readable and writable carry one token each: something has changed for
	// whoever waits. A caller that leaves something for the next puts the
	// token back.
	readable, writable chan struct{}

	mu    sync.Mutex
	ring  []byte
	start int // of the bytes in the ring
	used  int
	// eof says that the writer has finished: after the ring comes io.EOF.
	eof bool
	// readErr and writeErr end the reading and the writing at once.
	readErr, writeErr error
}

func newPipe() *pipe {
	return &pipe{readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
}

// read takes what is there; nothing and no error means wait.
func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.readErr != nil:
		signal(p.readable)
		return 0, p.readErr
	case p.used == 0 && p.eof:
		signal(p.readable)
		return 0, io.EOF
	}
	n := 0
	for n < len(b) && p.used > 0 {
		end := min(p.start+p.used, len(p.ring))
		m := copy(b[n:], p.ring[p.start:end])
		n += m
		p.used -= m
		p.start = (p.start + m) % len(p.ring)
	}
	if p.used > 0 {
		signal(p.readable)
	}
	if n > 0 {
		signal(p.writable)
	}
	return n, nil
}

// write takes as much of b as there is room for.
func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writeErr != nil {
		signal(p.writable)
		return 0, p.writeErr
	}
	p.makeRoom(len(b))
	n := 0
	for n < len(b) && p.used < len(p.ring) {
		at := (p.start + p.used) % len(p.ring)
		end := len(p.ring)
		if at < p.start {
			end = p.start
		}
		m := copy(p.ring[at:end], b[n:])
		n += m
		p.used += m
	}
	if n > 0 {
		signal(p.readable)
	}
	return n, nil
}

// makeRoom grows the ring for n more bytes, up to bufferSize.
func (p *pipe) makeRoom(n int) {
	size := max(len(p.ring), firstBuffer)
	for size < bufferSize && size-p.used < n {
		size *= 2
	}
	if size == len(p.ring) {
		return
	}
	ring := make([]byte, size)
	if end := p.start + p.used; end <= len(p.ring) {
		copy(ring, p.ring[p.start:end])
	} else {
		k := copy(ring, p.ring[p.start:])
		copy(ring[k:], p.ring[:end-len(p.ring)])
	}
	p.ring, p.start = ring, 0
}

// closeWriter ends the writing: the reader gets what is buffered, then
// io.EOF.
func (p *pipe) closeWriter(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eof = true
	if p.writeErr == nil {
		p.writeErr = err
	}
	p.wake()
}

// closeReader ends the reading and drops what is buffered. The reader gets
// readErr, the writer writeErr.
func (p *pipe) closeReader(readErr, writeErr error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readErr == nil {
		p.readErr = readErr
	}
	if p.writeErr == nil {
		p.writeErr = writeErr
	}
	p.ring, p.start, p.used = nil, 0, 0
	p.wake()
}

func (p *pipe) wake() {
	signal(p.readable)
	signal(p.writable)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
