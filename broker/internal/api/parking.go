package api

import (
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// parking is the half of a pooled reply that waits: for offsets to be
// committed (Produce) or for bytes to arrive (Fetch).
//
// The waiter may fire on any goroutine, at any time until it is cancelled. Its
// wake makes the reply ready and touches nothing of it afterwards, so a reply
// that was seen ready may be used again at once.
type parking struct {
	h        wire.Header
	listener string
	waker    *server.Waker
	deadline time.Time
	ready    atomic.Bool
	mute     *server.Mute
	throttle time.Duration // what the reply tells the client

	waiter *wait.Waiter
	// linked is set from the first await until unlink.
	linked bool
	// armed is set while the waiter may fire.
	armed bool
	// lost is set if the waiter was firing when the reply was cancelled: its
	// wake is still to come, so the reply must not be used again.
	lost bool
}

func (p *parking) init() {
	p.waiter = wait.New(func() {
		waker := p.waker
		p.ready.Store(true)
		waker.Wake()
	})
}

// begin readies the parking for a request.
func (p *parking) begin(r *server.Request) {
	p.h, p.listener, p.waker, p.mute = r.Header, r.Listener, r.Waker, r.Mute
	p.h.ClientID = "" // It aliases the frame.
	p.deadline, p.throttle = time.Time{}, 0
	p.ready.Store(false)
	p.linked, p.armed, p.lost = false, false, false
}

// expect begins a wait, for need bytes or, if need is 0, for offsets. Awaits
// on partitions follow, then park.
func (p *parking) expect(need int64) {
	p.waiter.Begin(need)
	p.linked = true
}

// park waits until the deadline, unless everything has arrived meanwhile.
func (p *parking) park(deadline time.Time) {
	p.deadline = deadline
	p.armed = true
	if !p.waiter.Arm() {
		p.armed = false
		p.ready.Store(true)
	}
}

// unlink takes the waiter off its partitions.
func (p *parking) unlink() {
	if p.linked {
		p.waiter.End()
		p.linked = false
	}
}

// Ready implements [server.Reply].
func (p *parking) Ready() bool { return p.ready.Load() }

// pause lengthens the time for which the client is throttled.
func (p *parking) pause(d time.Duration) { p.throttle = max(p.throttle, d) }

// Deadline implements [server.Reply].
func (p *parking) Deadline() time.Time { return p.deadline }

// Expire implements [server.Reply]. If the waiter is firing at this moment,
// its wake makes the reply ready.
func (p *parking) Expire() {
	if p.waiter.Cancel() {
		p.ready.Store(true)
	}
}

// Cancel implements [server.Reply].
func (p *parking) Cancel() {
	if p.armed && !p.waiter.Cancel() && !p.ready.Load() {
		p.lost = true
	}
}
