package server

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// overTCP serves a rig on a real socket, beneath which the server reads.
func (r *rig) overTCP() (dial func() net.Conn) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.serve(l)
	return func() net.Conn {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = nc.Close() })
		return nc
	}
}

// patterned is a body that tells where it was cut or mixed up.
func patterned(id int32, size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(int(id)*31 + i*7)
	}
	return string(b)
}

// Whatever the sizes of frames, and wherever the network cuts them, each is
// served with its own bytes: from the wide buffer, from the narrow one where
// no wide one is left, and past both.
func TestFramesOfEverySize(t *testing.T) {
	for _, test := range []struct {
		name   string
		queued int64
		listen func(*rig) (dial func() net.Conn)
	}{{"wide", 0, (*rig).overTCP}, {"narrow", 256 << 10, (*rig).overTCP}, {"in memory", 0, (*rig).inMemory}} {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			sizes := []int{0, 1, 50, 1000, narrowBuffer - 15, narrowBuffer - 14, narrowBuffer - 13, 16 << 10, wideBuffer - 15, wideBuffer - 14, wideBuffer - 13, 150 << 10}
			const n = 600
			bodies := make([]string, n)
			var stream []byte
			for id := range int32(n) {
				size := sizes[random.IntN(4)]
				if random.IntN(6) == 0 {
					size = sizes[random.IntN(len(sizes))]
				}
				key := int16(wire.KeyProduce)
				if random.IntN(10) == 0 {
					key = 3 // Metadata
				}
				bodies[id] = patterned(id, size)
				stream = append(stream, frame(key, id, bodies[id])...)
			}
			wrong := make(chan int32, n)
			r := prepareRig(t, Config{MaxQueuedBytes: test.queued})
			r.stage.prepare = func(q *Request, p *parked) {
				if body := bodies[q.CorrelationID]; string(q.Body) != body {
					wrong <- q.CorrelationID
				}
				p.ready.Store(true)
			}
			if test.queued > 0 && !r.srv.wides.left.TryAcquire(test.queued/4) {
				t.Fatal("wide buffers in use before the first connection")
			}
			nc := test.listen(r)()
			go func() {
				for len(stream) > 0 {
					piece := min(1+random.IntN(100<<10), len(stream))
					if random.IntN(3) == 0 {
						piece = min(1+random.IntN(20), len(stream))
					}
					if _, err := nc.Write(stream[:piece]); err != nil {
						return
					}
					stream = stream[piece:]
				}
			}()
			for id := range int32(n) {
				if got, _ := receive(t, nc); got != id {
					t.Fatalf("reply %d where %d is due", got, id)
				}
			}
			if len(wrong) > 0 {
				t.Errorf("request %d was served with bytes that are not its own", <-wrong)
			}
		})
	}
}

// A connection that waits holds no buffer, so that thousands may.
func TestWideBuffersComeBack(t *testing.T) {
	const all = 4 * wideBuffer
	r := prepareRig(t, Config{MaxQueuedBytes: 4 * all})
	dial := r.overTCP()
	conns := make([]net.Conn, 10) // more than there are wide buffers
	for i := range conns {
		conns[i] = dial()
	}
	for round := range int32(3) {
		for _, nc := range conns {
			send(t, nc, frame(wire.KeyProduce, round, patterned(round, 100)))
			if id, _ := receive(t, nc); id != round {
				t.Fatalf("reply %d, want %d", id, round)
			}
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for !r.srv.wides.left.TryAcquire(all) {
		if time.Now().After(deadline) {
			t.Fatal("connections that wait hold wide buffers")
		}
		<-time.After(time.Millisecond)
	}
	r.srv.wides.left.Release(all)
	conns[0].Close()
	send(t, conns[1], bytes.Repeat(frame(wire.KeyProduce, 7, "x"), 100))
	for range 100 {
		receive(t, conns[1])
	}
}
