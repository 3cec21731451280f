package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

// Item 2: replies leave in the order of their requests, whatever the order in
// which they become ready.
func TestItem2_RepliesKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = park
		nc := r.dial()
		for id := range int32(10) {
			send(t, nc, frame(wire.KeyProduce, id, ""))
		}
		synctest.Wait()
		for id := int32(9); id >= 0; id-- {
			r.stage.reply(id).finish()
		}
		for want := range int32(10) {
			if got, _ := receive(t, nc); got != want {
				t.Fatalf("reply to %d, want %d", got, want)
			}
		}
	})
}

// Produce requests start while earlier ones wait; everything else starts when
// all before it are answered, and holds up what follows.
func TestItem2_OnlyProduceWaitsOverlap(t *testing.T) {
	const produce, fetch, metadata = wire.KeyProduce, wire.KeyFetch, 3
	for _, test := range []struct {
		keys    []int16
		started string // while nothing is ready
	}{
		{[]int16{produce, produce, produce}, "[0 1 2]"},
		{[]int16{produce, produce, metadata}, "[0 1]"},
		{[]int16{produce, fetch, produce}, "[0]"},
		{[]int16{fetch, produce}, "[0]"},
		{[]int16{fetch, fetch}, "[0]"},
		{[]int16{metadata, produce}, "[0]"},
	} {
		t.Run(fmt.Sprint(test.keys), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Config{})
				r.stage.prepare = park
				nc := r.dial()
				for id, key := range test.keys {
					send(t, nc, frame(key, int32(id), ""))
				}
				synctest.Wait()
				if got := fmt.Sprint(r.stage.served); got != test.started {
					t.Fatalf("started %s, want %s", got, test.started)
				}
				for id := range int32(len(test.keys)) {
					r.stage.reply(id).finish()
					if got, _ := receive(t, nc); got != id {
						t.Fatalf("reply to %d, want %d", got, id)
					}
					synctest.Wait()
				}
			})
		})
	}
}

// The ring is full: the reader stops, and goes on as replies leave.
func TestW29_RingBoundsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = park
		nc := r.dial()
		for id := range int32(ringSize + 10) {
			send(t, nc, frame(wire.KeyProduce, id, ""))
		}
		synctest.Wait()
		if got := len(r.stage.served); got != ringSize {
			t.Fatalf("%d requests started, want %d", got, ringSize)
		}
		r.stage.reply(0).finish()
		receive(t, nc)
		synctest.Wait()
		if got := len(r.stage.served); got != ringSize+1 {
			t.Fatalf("%d requests started after one reply, want %d", got, ringSize+1)
		}
	})
}

// A parked reply expires at its deadline, also one that a timer set for an
// earlier reply has been waiting for.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		wait := map[int32]time.Duration{0: 10 * time.Second, 1: 500 * time.Millisecond, 2: time.Second}
		r.stage.prepare = func(req *Request, p *parked) { p.deadline = time.Now().Add(wait[req.CorrelationID]) }
		nc := r.dial()

		send(t, nc, frame(wire.KeyFetch, 0, ""))
		synctest.Wait()
		r.stage.reply(0).finish() // long before its deadline; the timer stays
		receive(t, nc)
		for id := int32(1); id <= 2; id++ {
			start := time.Now()
			send(t, nc, frame(wire.KeyFetch, id, ""))
			receive(t, nc)
			if took := time.Since(start); took != wait[id] {
				t.Errorf("reply %d after %v, want %v", id, took, wait[id])
			}
			if !r.stage.reply(id).expired.Load() {
				t.Errorf("reply %d was not told that its time is over", id)
			}
		}
	})
}

// A client that leaves cancels what it waits for, at once.
func TestW30_LeavingCancelsWhatIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.stage.prepare = park
		nc := r.dial()
		send(t, nc, frame(wire.KeyProduce, 1, ""), frame(wire.KeyProduce, 2, ""))
		synctest.Wait()
		_ = nc.Close()
		synctest.Wait()
		for id := int32(1); id <= 2; id++ {
			if p := r.stage.reply(id); !p.cancelled.Load() || !p.released.Load() {
				t.Errorf("reply %d: cancelled %v, released %v", id, p.cancelled.Load(), p.released.Load())
			}
		}
		if n := r.srv.Connections(); n != 0 {
			t.Errorf("%d connections left", n)
		}
	})
}

// The server's end answers what has been appended and drops what only waits
// for something to happen.
func TestDrain(t *testing.T) {
	t.Run("a produce is answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.stage.prepare = park
			nc := r.dial()
			send(t, nc, frame(wire.KeyProduce, 1, ""))
			synctest.Wait()
			r.stop()
			elapse(time.Second)
			r.stage.reply(1).finish()
			if id, _ := receive(t, nc); id != 1 {
				t.Fatalf("reply to %d, want 1", id)
			}
			start := time.Now()
			closed(t, nc)
			if took := time.Since(start); took != 0 {
				t.Errorf("closed %v after the last reply", took)
			}
		})
	})
	t.Run("a fetch is dropped at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.stage.prepare = park
			nc := r.dial()
			send(t, nc, frame(wire.KeyFetch, 1, ""))
			synctest.Wait()
			start := time.Now()
			r.close()
			closed(t, nc)
			if took := time.Since(start); took != 0 {
				t.Errorf("the drain took %v", took)
			}
			if !r.stage.reply(1).cancelled.Load() {
				t.Error("the reply was not cancelled")
			}
		})
	})
	t.Run("a flush that never comes is not waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			r.stage.prepare = park
			nc := r.dial()
			send(t, nc, frame(wire.KeyProduce, 1, ""))
			synctest.Wait()
			start := time.Now()
			r.close()
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("the drain took %v, want 5 s", took)
			}
		})
	})
	t.Run("an idle connection is closed at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			nc := r.dial()
			send(t, nc, frame(3, 1, ""))
			receive(t, nc)
			start := time.Now()
			r.close()
			closed(t, nc)
			if took := time.Since(start); took != 0 {
				t.Errorf("the drain took %v", took)
			}
		})
	})
}

// Frames in flight are bounded together: a second large one is not read until
// the first is served.
func TestQueuedBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{MaxRequestBytes: 64 << 10, MaxQueuedBytes: 64 << 10})
		body := make([]byte, 40<<10)
		slow, fast := r.dial(), r.dial()
		half := frame(wire.KeyProduce, 1, string(body))
		send(t, slow, half[:len(half)/2])
		synctest.Wait()
		go func() { _, _ = fast.Write(frame(wire.KeyProduce, 2, string(body))) }()
		synctest.Wait()
		if n := len(r.stage.served); n != 0 {
			t.Fatalf("%d requests served beside a frame that fills the bound", n)
		}
		send(t, slow, half[len(half)/2:])
		receive(t, slow)
		if id, _ := receive(t, fast); id != 2 {
			t.Fatalf("reply to %d, want 2", id)
		}
	})
}
