package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// FuzzAPIs sends any body to any API at any version. Whatever it is, the
// broker answers it, parks it or closes its connection; it does not panic, and
// what it answers with decodes.
func FuzzAPIs(f *testing.F) {
	n := start(f, setup{})
	n.createTopic(f, controller.NewTopic{Name: "t", Partitions: 2, Replicas: 1})
	n.create(f, offsetsTopic)
	// What would be decided is another package's; here it would fill the disk.
	n.breakController(context.DeadlineExceeded)
	for i, a := range Table() {
		for version := a.From(); version <= a.Max; version++ {
			req := kmsg.RequestForKey(a.Key)
			req.SetVersion(version)
			if d, ok := req.(interface{ Default() }); ok {
				d.Default()
			}
			f.Add(byte(i), version, req.AppendTo(nil))
		}
	}
	f.Add(byte(0), int16(9), produceTo(9, -1, "t", [16]byte{}, 0, batch(f, "v")).AppendTo(nil))
	f.Add(byte(1), int16(12), fetchFrom(12, "t", [16]byte{}, 0).AppendTo(nil))
	waker, woken := server.NewWaker()
	out := server.NewOut()
	f.Fuzz(func(t *testing.T, which byte, version int16, body []byte) {
		a := Table()[int(which)%len(Table())]
		version = a.From() + int16(uint16(version)%uint16(a.Max-a.From()+1))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hung := time.AfterFunc(10*time.Second, func() { panic("hung in " + a.Name()) })
		defer hung.Stop()
		req := &server.Request{
			Header: wire.Header{Key: a.Key, Version: version, CorrelationID: 1, ClientID: "fuzz"},
			Body:   body, Listener: publicListener, ClientHost: "/10.0.0.7", Received: time.Now(), Context: ctx, Waker: waker, Mute: &server.Mute{},
		}
		reply, err := n.Broker.Serve(req)
		if err != nil {
			if _, ok := errors.AsType[*server.CloseError](err); !ok && !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("%s v%d: an error that is no refusal: %v", a.Name(), version, err)
			}
			return
		}
		if reply == nil {
			return // acks=0
		}
		defer reply.Release()
		for deadline := time.After(20 * time.Millisecond); !reply.Ready(); {
			select {
			case <-woken:
				continue
			case <-deadline:
			}
			break
		}
		if !reply.Ready() {
			reply.Cancel()
			return
		}
		out.Reset()
		if err := reply.Encode(out); err != nil {
			t.Fatalf("%s v%d: %v", a.Name(), version, err)
		}
		if a.Key != wire.KeyFetch { // Its records may not be in the buffer.
			decodes(t, a.Key, version, out.Buf)
		}
	})
}

func decodes(t *testing.T, key, version int16, frame []byte) {
	t.Helper()
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	header := 4
	if req.IsFlexible() && key != wire.KeyAPIVersions {
		header++
	}
	resp := req.ResponseKind()
	if err := resp.ReadFrom(frame[header:]); err != nil {
		t.Fatalf("the response to %s v%d does not decode: %v", kmsg.NameForKey(key), version, err)
	}
}
