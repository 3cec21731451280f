package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair connects two ends through a listener.
func pair(t *testing.T, n *Network) (near, far net.Conn) {
	t.Helper()
	l, err := n.Listen("node-1:0")
	if err != nil {
		t.Fatal(err)
	}
	near, err = n.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close(); _ = l.Close() })
	return near, far
}

func TestBytesArriveInOrder(t *testing.T) {
	var n Network
	near, far := pair(t, &n)
	want := make([]byte, 3*bufferSize+17)
	for i := range want {
		want[i] = byte(i * 7)
	}
	go func() {
		for rest := want; len(rest) > 0; {
			k := min(len(rest), 1+len(rest)%5000)
			if _, err := near.Write(rest[:k]); err != nil {
				t.Error(err)
			}
			rest = rest[k:]
		}
		_ = near.Close()
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
	}
}

// A write must not need a reader: a server may answer before it reads on.
func TestWriteIsBuffered(t *testing.T) {
	var n Network
	near, far := pair(t, &n)
	if _, err := near.Write(make([]byte, bufferSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte("reply")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if k, err := near.Read(b); err != nil || string(b[:k]) != "reply" {
		t.Errorf("read %q, %v", b[:k], err)
	}
}

func TestFullBufferBlocksTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		near, far := pair(t, &n)
		done := make(chan error, 1)
		go func() {
			_, err := near.Write(make([]byte, bufferSize+1))
			done <- err
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("the write did not wait")
		default:
		}
		if _, err := io.ReadFull(far, make([]byte, bufferSize+1)); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		near, far := pair(t, &n)
		start := time.Now()
		_ = near.SetReadDeadline(start.Add(time.Second))
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("the read took %v, want 1s", took)
		}
		var timeout net.Error
		if _, err := near.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a read after the deadline: %v, want a timeout", err)
		}
		_ = near.SetReadDeadline(time.Time{})
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); err != nil {
			t.Errorf("a read without deadline: %v", err)
		}
		_ = near.SetWriteDeadline(time.Now().Add(time.Minute))
		k, err := near.Write(make([]byte, 2*bufferSize))
		if k != bufferSize || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %d, %v; want a full buffer and a timeout", k, err)
		}
	})
}

// A deadline set while a Read waits must end that Read: this is how a server
// interrupts its readers.
func TestDeadlineInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		near, _ := pair(t, &n)
		done := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		_ = near.SetReadDeadline(time.Unix(1, 0))
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		near, far := pair(t, &n)
		waiting := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			waiting <- err
		}()
		synctest.Wait()
		if _, err := near.Write([]byte("last words")); err != nil {
			t.Fatal(err)
		}
		if err := near.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the waiting read: %v, want ErrClosed", err)
		}
		if got, err := io.ReadAll(far); err != nil || string(got) != "last words" {
			t.Errorf("the peer read %q, %v", got, err)
		}
		if _, err := far.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the peer's write: %v, want EPIPE", err)
		}
	})
}

func TestBreakResetsBothEnds(t *testing.T) {
	var n Network
	near, far := pair(t, &n)
	if _, err := near.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	if hit := n.Break(near.RemoteAddr().String()); hit != 1 {
		t.Fatalf("Break hit %d connections, want 1", hit)
	}
	for name, c := range map[string]net.Conn{"near": near, "far": far} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want ECONNRESET", name, err)
		}
	}
	if hit := n.Break(near.RemoteAddr().String()); hit != 0 {
		t.Errorf("Break hit %d connections again", hit)
	}
}

func TestListen(t *testing.T) {
	var n Network
	l, err := n.Listen("node-1:9092")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen("node-1:9092"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second listener: %v", err)
	}
	if _, err := n.Dial(t.Context(), "tcp", "node-2:9092"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial of nobody: %v", err)
	}
	unaccepted, err := n.Dial(t.Context(), "tcp", "node-1:9092")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := unaccepted.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read of a connection that nobody accepted: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if _, err := n.Dial(t.Context(), "tcp", "node-1:9092"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after close: %v", err)
	}
	every, err := n.Listen(":9092")
	if err != nil {
		t.Fatal(err)
	}
	defer every.Close()
	if _, err := n.Dial(t.Context(), "tcp", "node-7:9092"); err != nil {
		t.Errorf("dial of a listener on every host: %v", err)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	var n Network
	l, err := n.Listen("node-1:9092")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	for range backlog {
		if _, err := n.Dial(ctx, "tcp", "node-1:9092"); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if _, err := n.Dial(ctx, "tcp", "node-1:9092"); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v, want Canceled", err)
	}
}

// Concurrent writes must not mix: a frame is one Write.
func TestConcurrentWritesStayWhole(t *testing.T) {
	var n Network
	near, far := pair(t, &n)
	const size = bufferSize - 1
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			if _, err := near.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		b := make([]byte, size)
		if _, err := io.ReadFull(far, b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, bytes.Repeat(b[:1], size)) {
			t.Fatal("two writes were mixed")
		}
	}
	writers.Wait()
}
