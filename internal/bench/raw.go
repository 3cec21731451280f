package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// RawProduce sends requests that were encoded once, over bare connections: no
// client library is in the way, so it finds the server's limits.
type RawProduce struct {
	// RecordBytes is the size of a value, BatchBytes of a batch, each a
	// request of its own.
	RecordBytes, BatchBytes int
	Partitions              int
	// Connections serve the partitions in turn. With more connections than
	// partitions several write to one.
	Connections int
	// InFlight is how many requests each connection has under way.
	InFlight   int
	Acks       int16
	Durability Durability
	Limit      Limit
}

// Run puts the load on a target, on a topic of its own.
func (p RawProduce) Run(ctx context.Context, t *Target) (Sample, error) {
	made, err := t.create(ctx, p.Partitions, p.Durability)
	if err != nil {
		return Sample{}, err
	}
	defer t.remove(ctx, made)
	return p.run(ctx, made, t.PID, t.dial)
}

// dialer opens a connection for a raw load.
type dialer func(ctx context.Context, address string) (net.Conn, error)

// run sends to a topic that exists, and counts what the process used.
func (p RawProduce) run(ctx context.Context, made topic, pid int, dial dialer) (Sample, error) {
	batch, records, err := batchOf(p.RecordBytes, p.BatchBytes)
	if err != nil {
		return Sample{}, err
	}
	pipes := make([]*pipe, p.Connections)
	for i := range pipes {
		nc, err := dial(ctx, made.address)
		if err != nil {
			return Sample{}, fmt.Errorf("connection %d: %w", i, err)
		}
		defer nc.Close()
		pipes[i] = &pipe{nc: nc, inFlight: p.InFlight}
		for partition := i % made.partitions; partition < made.partitions; partition += p.Connections {
			pipes[i].frames = append(pipes[i].frames, produceFrame(made.name, int32(partition), p.Acks, batch))
		}
	}
	sent, err := measured(pid, func() (Sample, error) { return runPipes(ctx, pipes, p.Limit, int64(len(batch))) })
	sent.Bytes, sent.Records = sent.Requests*int64(len(batch)), sent.Requests*int64(records)
	return sent, err
}

func runPipes(ctx context.Context, pipes []*pipe, limit Limit, bytes int64) (Sample, error) {
	each := limit.split(len(pipes))
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range pipes {
		group.Go(func() error { return p.run(ctx, each, bytes) })
	}
	if err := group.Wait(); err != nil {
		return Sample{}, err
	}
	s := Sample{Latency: &Histogram{}}
	for _, p := range pipes {
		s.Requests += p.acked
		s.Latency.Merge(&p.latency)
	}
	return s, nil
}

// pipe sends frames in turn over one connection, with a number of them in
// flight. One goroutine writes what the window allows in one system call and
// then reads what has come, so that the client costs little.
type pipe struct {
	nc       net.Conn
	frames   [][]byte
	inFlight int

	sent, acked int64
	times       []time.Time // of the requests in flight, by number
	latency     Histogram
}

func (p *pipe) run(ctx context.Context, limit Limit, bytes int64) error {
	stop := context.AfterFunc(ctx, func() { _ = p.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	p.times = make([]time.Time, p.inFlight)
	in := bufio.NewReaderSize(p.nc, 16<<10)
	began := time.Now()
	for {
		if !limit.over(p.sent*bytes, began) {
			if err := p.fill(); err != nil {
				return err
			}
		}
		if p.sent == p.acked {
			return nil
		}
		if err := p.drain(in); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
	}
}

// fill sends until the window is full.
func (p *pipe) fill() error {
	var out net.Buffers
	now := time.Now()
	for p.sent-p.acked < int64(p.inFlight) {
		out = append(out, p.frames[p.sent%int64(len(p.frames))])
		p.times[p.sent%int64(p.inFlight)] = now
		p.sent++
	}
	_, err := out.WriteTo(p.nc)
	return err
}

// drain reads one response, and all that came with it.
func (p *pipe) drain(in *bufio.Reader) error {
	for first := true; first || complete(in); first = false {
		prefix, err := in.Peek(4)
		if err != nil {
			return fmt.Errorf("waiting for a response: %w", err)
		}
		size := int(binary.BigEndian.Uint32(prefix))
		frame, err := in.Peek(4 + size)
		if err != nil {
			return fmt.Errorf("response of %d bytes: %w", size, err)
		}
		if err := produceError(frame[4:]); err != nil {
			return err
		}
		_, _ = in.Discard(4 + size) // it was peeked at
		p.latency.Add(time.Since(p.times[p.acked%int64(p.inFlight)]))
		p.acked++
		if p.acked == p.sent {
			return nil
		}
	}
	return nil
}

// complete reports whether a whole response is in the buffer.
func complete(in *bufio.Reader) bool {
	if in.Buffered() < 4 {
		return false
	}
	prefix, err := in.Peek(4)
	return err == nil && in.Buffered() >= 4+int(binary.BigEndian.Uint32(prefix))
}
