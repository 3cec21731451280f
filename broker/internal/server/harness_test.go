package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/memnet"
	"github.com/millrace-io/millrace/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parked is a reply that the test makes ready.
type parked struct {
	h        wire.Header
	waker    *Waker
	deadline time.Time
	file     vfs.File
	off      int64
	n        int

	ready, expired, cancelled, released atomic.Bool
}

func (p *parked) Ready() bool         { return p.ready.Load() }
func (p *parked) Deadline() time.Time { return p.deadline }
func (p *parked) Expire()             { p.expired.Store(true); p.ready.Store(true) }
func (p *parked) Cancel()             { p.cancelled.Store(true) }
func (p *parked) Release()            { p.released.Store(true) }

func (p *parked) Encode(out *Out) error {
	out.Buf = wire.AppendResponseHeader(out.Buf, p.h)
	if p.file != nil {
		if err := out.File(p.file, p.off, p.n); err != nil {
			return err
		}
		out.Buf = append(out.Buf, "tail"...)
	}
	return nil
}

func (p *parked) finish() {
	p.ready.Store(true)
	p.waker.Wake()
}

// stage is a handler that hands every reply to the test, by correlation id.
type stage struct {
	mu      sync.Mutex
	served  []int32
	replies map[int32]*parked
	// prepare decides what becomes of a reply; nil makes it ready at once.
	prepare func(*Request, *parked)
	err     error
	started chan int32 // one for each request served
}

func newStage() *stage {
	return &stage{replies: map[int32]*parked{}, started: make(chan int32, 1000)}
}

func (s *stage) Serve(r *Request) (Reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	p := &parked{h: r.Header, waker: r.Waker}
	if s.prepare != nil {
		s.prepare(r, p)
	} else {
		p.ready.Store(true)
	}
	s.served = append(s.served, r.CorrelationID)
	s.replies[r.CorrelationID] = p
	s.started <- r.CorrelationID
	return p, nil
}

func (s *stage) reply(id int32) *parked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replies[id]
}

// park makes the handler leave every reply waiting.
func park(*Request, *parked) {}

// rig is a running server with a handler, on a network in memory.
type rig struct {
	t       *testing.T
	stage   *stage
	srv     *Server
	net     memnet.Network
	log     *lockedBuffer
	refused sync.Map // Reason -> bool
	stop    context.CancelFunc
	done    chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const address = "node-1:9092"

func newRig(t *testing.T, cfg Config) *rig {
	r := prepareRig(t, cfg)
	r.inMemory()
	return r
}

// inMemory serves a rig on its network in memory.
func (r *rig) inMemory() (dial func() net.Conn) {
	l, err := r.net.Listen(address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.serve(l)
	return r.dial
}

// prepareRig makes a rig that does not listen yet.
func prepareRig(t *testing.T, cfg Config) *rig {
	r := &rig{t: t, stage: newStage(), log: &lockedBuffer{}, done: make(chan error, 1)}
	cfg.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	cfg.Metrics.Refused = func(reason Reason) { r.refused.Store(reason, true) }
	r.srv = New(cfg, r.stage)
	return r
}

func (r *rig) serve(l net.Listener) {
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.done <- r.srv.Serve(ctx, Listener{Name: "PLAINTEXT", Listener: l}) }()
	r.t.Cleanup(r.close)
}

// close stops the server and waits for it.
func (r *rig) close() {
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	r.done <- nil
}

func (r *rig) dial() net.Conn {
	nc, err := r.net.Dial(context.Background(), "tcp", address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

func (r *rig) wasRefused(reason Reason) bool {
	_, ok := r.refused.Load(reason)
	return ok
}

// frame is a request with header v1 and a body.
func frame(key int16, id int32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 3-uint16(min(key, 2))) // not flexible
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = append(b, 0xff, 0xff)
	return append(b, body...)
}

func send(t *testing.T, nc net.Conn, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		if _, err := nc.Write(f); err != nil {
			t.Fatal(err)
		}
	}
}

// receive reads one frame and returns its correlation id and the rest.
func receive(t *testing.T, nc net.Conn) (int32, []byte) {
	t.Helper()
	var length [4]byte
	if _, err := io.ReadFull(nc, length[:]); err != nil {
		t.Fatalf("no reply: %v", err)
	}
	b := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(nc, b); err != nil {
		t.Fatalf("half a reply: %v", err)
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:]
}

// closed waits for the server to close the connection, without a reply.
func closed(t *testing.T, nc net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, nc); n != 0 {
		t.Fatalf("got %d bytes before the close (%v)", n, err)
	}
}

// elapse moves the clock of a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }
