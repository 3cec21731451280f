package coordinator

import (
	"container/heap"
	"time"
)

// agenda knows which machine wants the next tick. Setting a deadline that has
// not changed costs a comparison, so heartbeats do not touch the heap.
type agenda[S machine] []*entry[S]

// set takes over the deadline of an entry; zero takes it off the agenda.
func (a *agenda[S]) set(e *entry[S], at time.Time) {
	switch {
	case at.Equal(e.at):
	case at.IsZero():
		heap.Remove(a, e.index)
		e.at = at
	case e.at.IsZero():
		e.at = at
		heap.Push(a, e)
	default:
		e.at = at
		heap.Fix(a, e.index)
	}
}

// next is the earliest deadline, zero if there is none.
func (a agenda[S]) next() time.Time {
	if len(a) == 0 {
		return time.Time{}
	}
	return a[0].at
}

// The methods of heap.Interface. Equal times are told apart by the key's
// name, so that equal shards do equal things in equal order.

func (a agenda[S]) Len() int { return len(a) }

func (a agenda[S]) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].state.ID() < a[j].state.ID()
	}
	return a[i].at.Before(a[j].at)
}

func (a agenda[S]) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

func (a *agenda[S]) Push(x any) {
	e := x.(*entry[S])
	e.index = len(*a)
	*a = append(*a, e)
}

func (a *agenda[S]) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return e
}
