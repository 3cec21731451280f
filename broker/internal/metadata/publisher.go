package metadata

import "sync/atomic"

// Publisher makes the newest image known: to readers by a pointer, to
// subscribers by a call for each change. The zero Publisher publishes the
// empty image.
type Publisher struct {
	image       atomic.Pointer[Image]
	subscribers []func(*Delta, *Image)
}

var empty = &Image{}

// Subscribe adds a subscriber behind those that are there. It must not be
// called once publishing has begun.
func (p *Publisher) Subscribe(f func(*Delta, *Image)) { p.subscribers = append(p.subscribers, f) }

// Image is the newest image that all subscribers have dealt with.
func (p *Publisher) Image() *Image {
	if i := p.image.Load(); i != nil {
		return i
	}
	return empty
}

// Publish calls each subscriber with the change and its result, in the order
// of their subscription, and then lets readers see the image. One goroutine
// publishes, in the order of the log.
func (p *Publisher) Publish(d *Delta, i *Image) {
	for _, f := range p.subscribers {
		f(d, i)
	}
	p.image.Store(i)
}
