package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// What a request uses is booked to its client, who is throttled for it
// (KIP-13, KIP-124, KIP-219, KIP-599): the reply names the time, and for that
// time the connection is muted. The longest of the times that several quotas
// give is the one that counts.

// anonymous is the user of every connection that has not said who it is.
const anonymous = "ANONYMOUS"

// clientOf is who a request's use is booked to.
func clientOf(h wire.Header) quota.Client { return quota.Client{User: anonymous, ID: h.ClientID} }

// pausable is a reply that can say how long its client is throttled.
type pausable interface {
	pause(time.Duration)
}

// timed serves a request and books the time that it took.
func (b *Broker) timed(a *API, r *server.Request) (server.Reply, error) {
	// Produce and Fetch give the client id back with their frame.
	began, client := time.Now(), clientOf(r.Header)
	reply, err := a.serve(b, r)
	if err != nil || reply == nil {
		return reply, err
	}
	now := time.Now()
	if pause := b.Quotas.Charge(quota.Request, client, now.Sub(began).Seconds(), now); pause > 0 {
		r.Mute.For(now, pause)
		if p, ok := reply.(pausable); ok {
			p.pause(pause)
		}
	}
	return reply, nil
}

// throttled puts a throttle time into a response, unless it has a longer one.
func throttled(resp kmsg.Response, pause time.Duration) {
	if pause <= 0 {
		return
	}
	set, settable := resp.(kmsg.SetThrottleResponse)
	if has, ok := resp.(kmsg.ThrottleResponse); ok && settable {
		millis, _ := has.Throttle()
		set.SetThrottle(max(millis, millisOf(pause)))
	}
}

func millisOf(d time.Duration) int32 { return int32(d.Milliseconds()) }

// mutations books the partitions that a request creates and deletes
// (KIP-599). A client that can be told is refused once it is in debt: strict.
// Another one is throttled afterwards.
type mutations struct {
	b      *Broker
	c      call
	strict bool
	pause  time.Duration
	booked map[string]int // partitions by what the request names
}

// errMutations is the outcome of a change that is refused.
var errMutations = kerr.ThrottlingQuotaExceeded

func (b *Broker) mutations(c call, strictFrom int16) *mutations {
	return &mutations{b: b, c: c, strict: c.Version >= strictFrom, booked: make(map[string]int)}
}

// admit books a change of some partitions, or refuses it.
func (m *mutations) admit(name string, partitions int) bool {
	if !m.b.Quotas.Limited(quota.Mutation) {
		return true
	}
	if m.strict {
		if debt := m.charge(0); debt > 0 {
			m.pause = debt
			return false
		}
	}
	partitions = max(partitions, 0)
	m.booked[name] += partitions
	if debt := m.charge(partitions); !m.strict {
		m.pause = debt
	}
	return true
}

// giveBack takes back what was booked for a change that was not made.
func (m *mutations) giveBack(name string) {
	if n := m.booked[name]; n > 0 {
		delete(m.booked, name)
		m.charge(-n)
	}
}

func (m *mutations) charge(partitions int) time.Duration {
	return m.b.Quotas.Charge(quota.Mutation, clientOf(m.c.Header), float64(partitions), time.Now())
}

// settle mutes the connection for as long as the response says.
func (m *mutations) settle() int32 {
	m.c.mute.For(time.Now(), m.pause)
	return millisOf(m.pause)
}
