package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/vfs"
)

func memFile(t testing.TB, content []byte) vfs.File {
	return fileOn(t, vfs.NewMem(), "f", content)
}

func diskFile(t testing.TB, content []byte) vfs.File {
	return fileOn(t, vfs.OS{}, filepath.Join(t.TempDir(), "f"), content)
}

func fileOn(t testing.TB, fs vfs.FS, name string, content []byte) vfs.File {
	f, err := fs.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func random(n int) []byte {
	b, rng := make([]byte, n), rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// Payload arrives whole and in its place by every way that it can take: read
// into the buffer, staged, or sent by the kernel.
func TestPayload(t *testing.T) {
	content := random(5 << 20)
	for _, network := range []string{"tcp", "memory"} {
		for name, file := range map[string]vfs.File{"disk": diskFile(t, content), "memory": memFile(t, content)} {
			for _, n := range []int{1, 1000, sendfileMin - 1, sendfileMin, stageMax - 1, stageMax, stageMax + 1, 4 << 20} {
				t.Run(fmt.Sprintf("%s file over %s, %d bytes", name, network, n), func(t *testing.T) {
					r := newRig(t, Config{})
					r.stage.prepare = func(_ *Request, p *parked) {
						p.file, p.off, p.n = file, 12345, n
						p.ready.Store(true)
					}
					nc := r.dialOn(network)
					for id := range int32(3) {
						send(t, nc, frame(wire.KeyFetch, id, ""))
						got, body := receive(t, nc)
						if got != id {
							t.Fatalf("reply to %d, want %d", got, id)
						}
						want := append(bytes.Clone(content[12345:12345+n]), "tail"...)
						if !bytes.Equal(body, want) {
							t.Fatalf("%d bytes arrived, and they are not the file's %d", len(body), len(want))
						}
					}
				})
			}
		}
	}
}

// dialOn connects over memory, or over loopback TCP to a second listener.
func (r *rig) dialOn(network string) net.Conn {
	if network == "memory" {
		return r.dial()
	}
	r.close()
	<-r.done
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.serve(l)
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// A file that is shorter than its log says ends the connection, and is named.
func TestPayloadThatIsNotThere(t *testing.T) {
	for _, n := range []int{100, sendfileMin, 2 * stageMax} {
		r := newRig(t, Config{})
		file := diskFile(t, random(50))
		r.stage.prepare = func(_ *Request, p *parked) {
			p.file, p.n = file, n
			p.ready.Store(true)
		}
		nc := r.dialOn("tcp")
		send(t, nc, frame(wire.KeyFetch, 1, ""))
		_, _ = io.Copy(io.Discard, nc)
		r.close()
		if !r.wasRefused(ReadFailed) {
			t.Errorf("%d bytes: not counted", n)
		}
		if !r.stage.reply(1).released.Load() {
			t.Errorf("%d bytes: the reply was not released", n)
		}
	}
}

func TestPoolClasses(t *testing.T) {
	var p pool
	for _, test := range []struct{ n, capacity int }{
		{0, 1 << 10}, {1, 1 << 10}, {1 << 10, 1 << 10}, {1<<10 + 1, 2 << 10}, {8 << 20, 8 << 20}, {8<<20 + 1, 8<<20 + 1},
	} {
		buf := p.get(test.n)
		if len(buf.b) != test.n || cap(buf.b) < test.capacity || test.n <= 8<<20 && cap(buf.b) != test.capacity {
			t.Errorf("get(%d): length %d, capacity %d, want capacity %d", test.n, len(buf.b), cap(buf.b), test.capacity)
		}
		p.put(buf)
	}
	// One that appends have grown serves the class that it fills.
	p.put(&buffer{b: make([]byte, 3000)})
	if buf := p.get(2048); cap(buf.b) < 2048 {
		t.Errorf("get(2048) has capacity %d", cap(buf.b))
	}
}

// echo answers at once with a pooled value, as the hot handlers do.
type echo struct{ parked }

func (e *echo) Serve(r *Request) (Reply, error) {
	e.h = r.Header
	return e, nil
}

// A request costs no allocation between its first byte and its reply's last.
// (In memory the network's own deadlines would.)
func TestServingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop items under the race detector")
	}
	r := newRig(t, Config{})
	e := &echo{}
	e.ready.Store(true)
	e.file, e.n = diskFile(t, random(64<<10)), 64<<10
	r.srv.handler = e
	nc := r.dialOn("tcp")
	request := frame(wire.KeyProduce, 7, string(random(10_000)))
	reply := make([]byte, 4+4+64<<10+4)
	round := func() {
		if _, err := nc.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, reply); err != nil {
			t.Fatal(err)
		}
		if binary.BigEndian.Uint32(reply[4:]) != 7 {
			t.Fatal("not the reply")
		}
	}
	for range 100 {
		round()
	}
	if n := testing.AllocsPerRun(500, round); n >= 1 {
		t.Errorf("%v allocations per request, want 0", n)
	}
}
