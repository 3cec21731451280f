package main

import (
	"context"
	"io"
)

// interruptible is standard input that a command stops reading when it is
// interrupted: a read of a terminal cannot be called off.
type interruptible struct {
	ctx    context.Context
	chunks chan chunk
	left   chunk
}

type chunk struct {
	data []byte
	err  error
}

// newInterruptible reads in until its end, or, where nobody asks any more,
// until the process ends.
func newInterruptible(ctx context.Context, in io.Reader) *interruptible {
	r := &interruptible{ctx: ctx, chunks: make(chan chunk)}
	go r.pump(in)
	return r
}

func (r *interruptible) pump(in io.Reader) {
	for {
		buffer := make([]byte, 32<<10)
		n, err := in.Read(buffer)
		select {
		case r.chunks <- chunk{buffer[:n], err}:
		case <-r.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (r *interruptible) Read(p []byte) (int, error) {
	for len(r.left.data) == 0 {
		if r.left.err != nil {
			return 0, r.left.err
		}
		select {
		case r.left = <-r.chunks:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, r.left.data)
	r.left.data = r.left.data[n:]
	return n, nil
}
