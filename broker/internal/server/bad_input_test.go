package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// prefix is the beginning of a frame: its length, key and version.
func prefix(length int32, key int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(length))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	return append(b, 0, 3)
}

// Each row sends what is wrong, and nothing more: the server must not wait for
// the bytes that a length promises.
func TestItem1_BadFrames(t *testing.T) {
	for _, test := range []struct {
		name   string
		bytes  []byte
		reason Reason
		hint   string
	}{
		{"W1 length negative", []byte{0xff, 0xff, 0xff, 0xff}, BadLength, "frame length -1"},
		{"W1 length the smallest", []byte{0x80, 0, 0, 0}, BadLength, "frame length"},
		{"length zero", []byte{0, 0, 0, 0}, BadLength, "frame length 0"},
		{"W2 Produce above socket.request.max.bytes", prefix(100<<20+1, wire.KeyProduce), FrameTooLarge, "socket.request.max.bytes"},
		{"W2 Fetch above 4 MiB", prefix(4<<20+1, wire.KeyFetch), FrameTooLarge, "API key 1"},
		{"W2 Metadata above 4 MiB", prefix(4<<20+1, 3), FrameTooLarge, "API key 3"},
		{"W2 unknown key above 4 MiB", prefix(4<<20+1, 999), FrameTooLarge, "API key 999"},
		{"W4 GET", []byte("GET / HTTP/1.1\r\n"), NotKafka, "looks like HTTP"},
		{"W4 POST", []byte("POST / HTTP/1.1\r\n"), NotKafka, "looks like HTTP"},
		{"W5 TLS ClientHello", []byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01}, NotKafka, "looks like TLS"},
		{"W10 header tag count", tagBomb(), Malformed, "varint longer"},
		{"W11 client id length -2", append(append(prefix(10, 3), 0, 0, 0, 1), 0xff, 0xfe), Malformed, "negative length"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, Config{})
			nc := r.dial()
			send(t, nc, test.bytes)
			closed(t, nc)
			r.close()
			if !r.wasRefused(test.reason) {
				t.Errorf("not counted as %s", test.reason)
			}
			if log := r.log.String(); !strings.Contains(log, test.hint) {
				t.Errorf("the log does not say %q:\n%s", test.hint, log)
			}
			if len(r.stage.served) != 0 {
				t.Error("the handler saw it")
			}
		})
	}
}

func tagBomb() []byte {
	body := []byte{0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// A Produce frame may be as large as the other APIs' limit forbids.
func TestProduceMayBeLarge(t *testing.T) {
	r := newRig(t, Config{})
	nc := r.dial()
	go func() { _, _ = nc.Write(frame(wire.KeyProduce, 1, strings.Repeat("x", 5<<20))) }()
	if id, _ := receive(t, nc); id != 1 {
		t.Fatalf("reply to %d, want 1", id)
	}
}

func TestW3FrameAtOneBytePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		nc := r.dial()
		start := time.Now()
		for _, b := range frame(3, 1, strings.Repeat("x", 100)) {
			if _, err := nc.Write([]byte{b}); err != nil {
				break
			}
			elapse(time.Second)
		}
		if took := time.Since(start); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("closed after %v, want 30 s after the length", took)
		}
		r.close()
		if !r.wasRefused(SlowFrame) {
			t.Error("not counted as a slow frame")
		}
	})
}

func TestItem12_IdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		nc := r.dial()
		start := time.Now()
		send(t, nc, frame(3, 1, ""))
		receive(t, nc)
		closed(t, nc)
		if took := time.Since(start); took < 10*time.Minute || took > 12*time.Minute {
			t.Errorf("closed after %v, want 10 min", took)
		}
		if log := r.log.String(); log != "" {
			t.Errorf("an idle connection is nothing to warn of: %s", log)
		}
	})
}

// A connection whose reply is parked is not idle, however long it takes.
func TestParkedIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = park
		nc := r.dial()
		send(t, nc, frame(11, 1, ""))
		elapse(time.Hour)
		r.stage.reply(1).finish()
		if id, _ := receive(t, nc); id != 1 {
			t.Fatalf("reply to %d, want 1", id)
		}
	})
}

// The peer that reads nothing is closed when the write makes no progress.
func TestW29_StalledWriteIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = func(_ *Request, p *parked) {
			p.file, p.n = memFile(t, bytes.Repeat([]byte("x"), 8<<20)), 8<<20
			p.ready.Store(true)
		}
		nc := r.dial()
		send(t, nc, frame(wire.KeyFetch, 1, ""))
		elapse(time.Minute)
		r.close()
		if !r.wasRefused(StalledWrite) {
			t.Error("not counted as a stalled write")
		}
	})
}

// A port scanner costs one line per interval, and the next line says how many
// were left out.
func TestRefusalsAreLoggedOncePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		for range 50 {
			nc := r.dial()
			send(t, nc, []byte("GET / HTTP/1.1\r\n"))
			closed(t, nc)
		}
		if lines := strings.Count(r.log.String(), "\n"); lines != 1 {
			t.Errorf("%d lines for 50 refusals, want 1", lines)
		}
		elapse(refusalInterval)
		nc := r.dial()
		send(t, nc, []byte("GET / HTTP/1.1\r\n"))
		closed(t, nc)
		if log := r.log.String(); !strings.Contains(log, "not_logged=49") {
			t.Errorf("the second line does not count the silent ones:\n%s", log)
		}
	})
}

// An error of the handler ends its connection and no other.
func TestHandlerErrorClosesOneConnection(t *testing.T) {
	r := newRig(t, Config{})
	bad, good := r.dial(), r.dial()
	r.stage.mu.Lock()
	r.stage.err = &CloseError{Reason: Unsupported, Detail: "API key 999"}
	r.stage.mu.Unlock()
	send(t, bad, frame(999, 1, ""))
	closed(t, bad)
	r.stage.mu.Lock()
	r.stage.err = nil
	r.stage.mu.Unlock()
	send(t, good, frame(3, 2, ""))
	if id, _ := receive(t, good); id != 2 {
		t.Fatalf("reply to %d, want 2", id)
	}
	if !r.wasRefused(Unsupported) {
		t.Error("not counted")
	}
}

func TestCloseErrorUnwraps(t *testing.T) {
	cause := errors.New("cause")
	if err := error(&CloseError{Reason: Malformed, Detail: "d", Err: cause}); !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
}
