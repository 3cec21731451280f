package server

import (
	"io"
	"net"

	"golang.org/x/sync/semaphore"
)

const (
	// wideBuffer takes what a client that pipelines has sent meanwhile, and
	// frames up to its size whole.
	wideBuffer = 64 << 10
	// narrowBuffer holds the length and header of a frame, and small frames
	// whole. What is larger is read straight into its own buffer.
	narrowBuffer = 4 << 10
)

// inbox reads ahead of the frames. It has a wide buffer from when the kernel
// has something until all of it is served, so a connection that waits costs
// none. Where the wide ones are spent, or the connection is not bare TCP, it
// has a narrow one for good.
type inbox struct {
	nc     net.Conn
	socket *socketReader // nil unless the connection is bare TCP
	wides  *wides

	wide   *buffer
	narrow []byte
	buf    []byte // of either
	r, w   int    // what is here is buf[r:w]
	// bulk says that the last frame did not fit: of the next one, too, most
	// should go where it belongs.
	bulk bool
}

func (in *inbox) init(nc net.Conn, wides *wides) {
	in.nc, in.wides = nc, wides
	in.socket = newSocketReader(nc, in)
}

// buffered is how many bytes are here.
func (in *inbox) buffered() int { return in.w - in.r }

// peek is the first n of the bytes that are here.
func (in *inbox) peek(n int) []byte { return in.buf[in.r : in.r+n] }

// discard drops the first n of the bytes that are here.
func (in *inbox) discard(n int) { in.r += n }

// fits reports whether n bytes may be needed at once.
func (in *inbox) fits(n int) bool { return n <= len(in.buf) }

// need reads until n bytes are here, which must fit; a narrow buffer's worth
// always does.
func (in *inbox) need(n int) error {
	for in.buffered() < n {
		if in.buffered() == 0 {
			in.r, in.w = 0, 0
		}
		if in.buf != nil && in.r+n > len(in.buf) {
			in.w = copy(in.buf, in.buf[in.r:in.w])
			in.r = 0
		}
		if err := in.fill(); err != nil {
			return err
		}
	}
	return nil
}

// readFull fills dst, first with what is here.
func (in *inbox) readFull(dst []byte) error {
	n := copy(dst, in.buf[in.r:in.w])
	in.discard(n)
	_, err := io.ReadFull(in.nc, dst[n:])
	return err
}

// fill reads at least one byte.
func (in *inbox) fill() error {
	if in.socket != nil {
		return in.socket.read()
	}
	in.open()
	n, err := in.nc.Read(in.buf[in.w:])
	in.w += n
	if n > 0 {
		return nil
	}
	return err
}

// open makes sure of a buffer.
func (in *inbox) open() {
	if in.buf != nil {
		return
	}
	if in.socket != nil && !in.bulk {
		in.wide = in.wides.get()
	}
	if in.wide != nil {
		in.buf = in.wide.b
		return
	}
	if in.narrow == nil {
		in.narrow = make([]byte, narrowBuffer)
	}
	in.buf = in.narrow
}

// close gives up the buffer, if nothing is in it.
func (in *inbox) close() {
	if in.buffered() > 0 {
		return
	}
	if in.wide != nil {
		in.wides.put(in.wide)
		in.wide = nil
	}
	in.buf, in.r, in.w = nil, 0, 0
}

// wides are the wide buffers of all connections, up to a number of bytes.
type wides struct {
	pool *pool
	left *semaphore.Weighted
}

// get returns nil if there are none left.
func (w *wides) get() *buffer {
	if !w.left.TryAcquire(wideBuffer) {
		return nil
	}
	return w.pool.get(wideBuffer)
}

func (w *wides) put(b *buffer) {
	w.pool.put(b)
	w.left.Release(wideBuffer)
}
