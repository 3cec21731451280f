package api

import (
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// BenchmarkProduce is what a request of one batch costs between the server's
// reader and its writer, on a disk in memory.
func BenchmarkProduce(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "16KiB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			n := start(b, setup{})
			n.create(b, "t")
			n.holdFlushes()
			body := produceTo(9, 1, "t", [16]byte{}, 0, batch(b, string(make([]byte, size)))).AppendTo(nil)
			frame := slices.Clone(body)
			waker, _ := server.NewWaker()
			req := server.Request{Header: wire.Header{Key: 0, Version: 9}, Waker: waker}
			out := server.NewOut()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(frame, body)
				req.Body, req.Received = frame, time.Now()
				serveOnce(b, n, &req, out)
			}
		})
	}
}

// BenchmarkFetch is the same for a fetch of one batch of 16 KiB.
func BenchmarkFetch(b *testing.B) {
	n := start(b, setup{})
	n.create(b, "t")
	n.append(b, "t", 0, string(make([]byte, 16<<10)))
	waker, _ := server.NewWaker()
	req := server.Request{Header: wire.Header{Key: 1, Version: 11}, Waker: waker, Body: fetchFrom(11, "t", [16]byte{}, 0).AppendTo(nil)}
	out := server.NewOut()
	b.SetBytes(16 << 10)
	b.ReportAllocs()
	for b.Loop() {
		req.Received = time.Now()
		serveOnce(b, n, &req, out)
	}
}

func serveOnce(b *testing.B, n *node, req *server.Request, out *server.Out) {
	reply, err := n.Broker.Serve(req)
	if err != nil {
		b.Fatal(err)
	}
	out.Reset()
	if err := reply.Encode(out); err != nil {
		b.Fatal(err)
	}
	reply.Release()
}
