package api

import (
	"sync"
	"unsafe"
)

// hotPools keeps the replies of Produce and Fetch for the next requests.
type hotPools struct {
	produce, fetch sync.Pool
}

// maxPooled bounds the partitions that a reply in the pool has room for, so
// that one large request does not hold its memory for good.
const maxPooled = 1024

func (h *hotPools) takeProduce(b *Broker) *produceReply {
	if p, ok := h.produce.Get().(*produceReply); ok {
		return p
	}
	p := &produceReply{b: b}
	p.init()
	return p
}

func (h *hotPools) giveProduce(p *produceReply) {
	if p.lost || cap(p.parts) > maxPooled {
		return
	}
	clear(p.parts)
	clear(p.leaders)
	clear(p.firsts)
	// Only room is kept: what a request has left must not reach the next one.
	p.producing = producing{names: p.names[:0], topics: p.topics[:0], parts: p.parts[:0], leaders: p.leaders[:0], firsts: p.firsts[:0]}
	h.produce.Put(p)
}

func (h *hotPools) takeFetch(b *Broker) *fetchReply {
	if f, ok := h.fetch.Get().(*fetchReply); ok {
		return f
	}
	f := &fetchReply{b: b}
	f.init()
	return f
}

func (h *hotPools) giveFetch(f *fetchReply) {
	if f.lost || cap(f.own) > maxPooled || cap(f.sent) > maxPooled || cap(f.aborted) > maxPooled {
		return
	}
	clear(f.own)
	clear(f.sent)
	clear(f.ranges)
	clear(f.leaders)
	f.fetching = fetching{own: f.own[:0], sent: f.sent[:0], ranges: f.ranges[:0], leaders: f.leaders[:0], aborted: f.aborted[:0], client: f.client[:0]}
	h.fetch.Put(f)
}

// alias is a string over bytes that do not change while it is used.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
