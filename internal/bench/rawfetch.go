package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// RawFetch reads partitions from their start, over bare connections, and
// throws away what comes.
type RawFetch struct {
	// MaxBytes is the most that one response may carry.
	MaxBytes int
	// Partitions are read by a connection each, with one request in flight.
	Partitions int
	// Fill is how much is written first; it is read once.
	Fill RawProduce
}

// Run fills a topic and puts the load on a target.
func (f RawFetch) Run(ctx context.Context, t *Target) (Sample, error) {
	made, err := t.create(ctx, f.Partitions, f.Fill.Durability)
	if err != nil {
		return Sample{}, err
	}
	defer t.remove(ctx, made)
	filled, err := f.Fill.run(ctx, made, t.PID, t.dial)
	if err != nil {
		return Sample{}, fmt.Errorf("fill %s: %w", made.name, err)
	}
	ends, err := t.admin.ListEndOffsets(ctx, made.name)
	if err != nil {
		return Sample{}, err
	}
	readers := make([]*reader, f.Partitions)
	for i := range readers {
		nc, err := t.dial(ctx, made.address)
		if err != nil {
			return Sample{}, err
		}
		defer nc.Close()
		end, _ := ends.Lookup(made.name, int32(i))
		readers[i] = newReader(nc, made.name, i, f.MaxBytes)
		readers[i].end = end.Offset
	}
	s, err := t.measure(func() (Sample, error) { return runReaders(ctx, readers) })
	s.Records = filled.Records
	return s, err
}

func runReaders(ctx context.Context, readers []*reader) (Sample, error) {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range readers {
		group.Go(func() error { return r.run(ctx) })
	}
	if err := group.Wait(); err != nil {
		return Sample{}, err
	}
	s := Sample{Latency: &Histogram{}}
	for _, r := range readers {
		s.Requests += r.requests
		s.Bytes += r.bytes
		s.Latency.Merge(&r.latency)
	}
	return s, nil
}

// reader fetches one partition.
type reader struct {
	nc       net.Conn
	in       *bufio.Reader
	frame    []byte
	offsetAt int
	next     int64
	end      int64
	// opaque takes responses whose payload is no batches, from the floor: it
	// reads until end bytes have come.
	opaque bool

	requests, bytes int64
	latency         Histogram
}

func newReader(nc net.Conn, topic string, partition, maxBytes int) *reader {
	r := &reader{nc: nc, in: bufio.NewReaderSize(nc, 256<<10)}
	r.frame, r.offsetAt = fetchFrame(topic, int32(partition), int32(maxBytes))
	return r
}

func (r *reader) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = r.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	for r.next < r.end {
		sent := time.Now()
		binary.BigEndian.PutUint64(r.frame[r.offsetAt:], uint64(r.next))
		if _, err := r.nc.Write(r.frame); err != nil {
			return err
		}
		if err := r.response(); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		r.latency.Add(time.Since(sent))
		r.requests++
	}
	return nil
}

func (r *reader) response() error {
	prefix, err := r.in.Peek(4)
	if err != nil {
		return fmt.Errorf("waiting for a response: %w", err)
	}
	left := int(binary.BigEndian.Uint32(prefix))
	_, _ = r.in.Discard(4) // it was peeked at
	if r.opaque {
		n, err := r.in.Discard(left)
		r.next += int64(n)
		r.bytes += int64(n)
		return err
	}
	head, records, err := r.head()
	if err != nil {
		return err
	}
	r.bytes += int64(records)
	if err := r.batches(records); err != nil {
		return err
	}
	_, err = r.in.Discard(left - head - records)
	return err
}

// head reads a response to a fetchFrame up to the records, and says how long
// it was and how long the records are.
func (r *reader) head() (size, records int, err error) {
	const beforeName = 4 + 4 + 2 + 4 + 4 // correlation, throttle, error, session, topics
	b, err := r.in.Peek(beforeName + 2)
	if err != nil {
		return 0, 0, err
	}
	const behindName = 4 + 4 + 2 + 8 + 8 + 8 + 4 + 4 + 4 // partitions .. length of the records
	size = beforeName + 2 + int(binary.BigEndian.Uint16(b[beforeName:])) + behindName
	if b, err = r.in.Peek(size); err != nil {
		return 0, 0, err
	}
	at := size - behindName
	code := int16(binary.BigEndian.Uint16(b[at+8:]))
	aborted := int32(binary.BigEndian.Uint32(b[at+34:]))
	records = int(int32(binary.BigEndian.Uint32(b[size-4:])))
	if code != 0 || aborted > 0 || records <= 0 {
		return 0, 0, fmt.Errorf("fetch at offset %d: error code %d, %d bytes", r.next, code, records)
	}
	_, err = r.in.Discard(size)
	return size, records, err
}

// batches goes over the headers of the batches, the last of which may be cut.
func (r *reader) batches(left int) error {
	const header, lengthAt, deltaAt = 61, 8, 23
	for left > header {
		b, err := r.in.Peek(header)
		if err != nil {
			return err
		}
		size := 12 + int(binary.BigEndian.Uint32(b[lengthAt:]))
		if size > left {
			break
		}
		r.next = int64(binary.BigEndian.Uint64(b)) + int64(binary.BigEndian.Uint32(b[deltaAt:])) + 1
		if _, err := r.in.Discard(size); err != nil {
			return err
		}
		left -= size
	}
	_, err := io.CopyN(io.Discard, r.in, int64(left))
	return err
}
