package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// Floor is the least that a server of Kafka's protocol can do for the raw
// loads: read a frame, append its body to a file, send a small reply; or send
// a range of a file. It checks nothing, keeps nothing and knows no topics.
// What it costs is the cost of the kernel, reached from Go.
type Floor struct {
	// Dir is where it appends; empty appends nothing.
	Dir string
	// File is what a fetch is answered from, Chunk bytes at a time.
	File  string
	Chunk int
	// Copy sends the file through memory, instead of by sendfile.
	Copy bool
}

const (
	floorReply  = 64       // bytes, like that to a Produce of one partition
	floorBuffer = 64 << 10 // reads many small requests at once
	floorFile   = 1 << 30  // bytes, like a segment
)

// Serve answers on l until ctx ends.
func (f Floor) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	for n := 0; ; n++ {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		conns.Go(func() {
			defer nc.Close()
			end := context.AfterFunc(ctx, func() { _ = nc.Close() })
			defer end()
			c := floorConn{Floor: f, nc: nc, in: bufio.NewReaderSize(nc, floorBuffer), number: n}
			defer c.close()
			_ = c.serve() // the client hears of it
		})
	}
}

// floorConn serves one connection, with a file of its own.
type floorConn struct {
	Floor
	nc     net.Conn
	in     *bufio.Reader
	number int
	body   []byte
	out    []byte

	appended *os.File
	at       int64
	source   *os.File
	offset   int64
}

func (c *floorConn) close() {
	for _, f := range []*os.File{c.appended, c.source} {
		if f != nil {
			_ = f.Close()
		}
	}
}

func (c *floorConn) serve() error {
	for {
		prefix, err := c.in.Peek(4)
		if err != nil {
			return ignoreEOF(err)
		}
		size := int(binary.BigEndian.Uint32(prefix))
		_, _ = c.in.Discard(4) // it was peeked at
		if cap(c.body) < size {
			c.body = make([]byte, size)
		}
		body := c.body[:size]
		if _, err := io.ReadFull(c.in, body); err != nil {
			return err
		}
		if binary.BigEndian.Uint16(body) == keyFetch {
			err = c.fetch()
		} else {
			err = c.append(body)
		}
		if err != nil {
			return err
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// append writes the body and replies, once for all requests that are here.
func (c *floorConn) append(body []byte) error {
	if c.Dir != "" {
		if err := c.write(body); err != nil {
			return err
		}
	}
	c.out = append(c.out, make([]byte, floorReply)...)
	binary.BigEndian.PutUint32(c.out[len(c.out)-floorReply:], floorReply-4)
	if complete(c.in) && len(c.out) < floorBuffer {
		return nil
	}
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

func (c *floorConn) write(body []byte) error {
	if c.appended == nil || c.at >= floorFile {
		if err := c.roll(); err != nil {
			return err
		}
	}
	n, err := c.appended.WriteAt(body, c.at)
	c.at += int64(n)
	return err
}

// roll begins a fresh file: to write over an old one would be cheaper than
// what a log does.
func (c *floorConn) roll() error {
	if c.appended != nil {
		_ = c.appended.Close()
		_ = os.Remove(c.appended.Name()) // the directory is removed in the end
	}
	f, err := os.CreateTemp(c.Dir, fmt.Sprintf("floor-%d-", c.number))
	c.appended, c.at = f, 0
	return err
}

// fetch sends the next chunk of the file.
func (c *floorConn) fetch() error {
	if c.source == nil {
		f, err := os.Open(filepath.Clean(c.File))
		if err != nil {
			return err
		}
		c.source = f
	}
	info, err := c.source.Stat()
	if err != nil {
		return err
	}
	if c.offset+int64(c.Chunk) > info.Size() {
		c.offset = 0
	}
	c.out = binary.BigEndian.AppendUint32(c.out[:0], uint32(c.Chunk))
	if c.Copy {
		err = c.copyChunk()
	} else {
		err = c.sendChunk()
	}
	c.offset += int64(c.Chunk)
	return err
}

func (c *floorConn) copyChunk() error {
	if cap(c.body) < c.Chunk {
		c.body = make([]byte, c.Chunk)
	}
	chunk := c.body[:c.Chunk]
	if _, err := c.source.ReadAt(chunk, c.offset); err != nil {
		return err
	}
	bufs := net.Buffers{c.out, chunk}
	_, err := bufs.WriteTo(c.nc)
	return err
}
