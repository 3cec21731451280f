package commitlog

import "sync/atomic"

// grow is a list with one writer, who appends, and any number of readers, who
// take no lock: the length is published after the element.
type grow[T any] struct {
	list atomic.Pointer[[]T] // its length is its capacity
	n    atomic.Int64
}

const firstGrow = 16

// append adds an element. Growing copies, so readers keep what they hold.
func (g *grow[T]) append(v T) {
	n := int(g.n.Load())
	list := g.list.Load()
	if list == nil || n == len(*list) {
		bigger := make([]T, max(firstGrow, 2*n))
		if list != nil {
			copy(bigger, *list)
		}
		g.list.Store(&bigger)
		list = &bigger
	}
	(*list)[n] = v
	g.n.Store(int64(n + 1))
}

// view returns the elements appended so far.
func (g *grow[T]) view() []T {
	n := g.n.Load()
	if n == 0 {
		return nil
	}
	return (*g.list.Load())[:n:n]
}

func growOf[T any](list []T) *grow[T] {
	g := &grow[T]{}
	if len(list) > 0 {
		g.list.Store(&list)
		g.n.Store(int64(len(list)))
	}
	return g
}
