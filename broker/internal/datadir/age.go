package datadir

import (
	"container/heap"
	"time"
)

// Aging is what is flushed by age.
type Aging interface {
	// FlushDue returns when the oldest record that no flush has covered becomes
	// too old; false for never, as things are.
	FlushDue() (due time.Time, ok bool)
}

// aging are entries by the time at which they may have to be flushed, the
// earliest first. It is a [heap.Interface].
type aging []*Entry

// notAging is the place of an entry that is not among the aging.
const notAging = -1

func (a aging) Len() int           { return len(a) }
func (a aging) Less(i, j int) bool { return a[i].flushBy.Before(a[j].flushBy) }

func (a aging) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place, a[j].place = i, j
}

// Push implements heap.Interface.
func (a *aging) Push(x any) {
	e := x.(*Entry)
	e.place = len(*a)
	*a = append(*a, e)
}

// Pop implements heap.Interface.
func (a *aging) Pop() any {
	n := len(*a) - 1
	e := (*a)[n]
	(*a)[n] = nil
	*a = (*a)[:n]
	e.place = notAging
	return e
}

// DirtyBy says that the partition has something to flush, but not before a
// time. It is for the first record since the last flush: when its time comes,
// the partition is asked again.
func (e *Entry) DirtyBy(at time.Time) {
	d := e.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, kept := d.entries[e]; !kept || e.place != notAging && !at.Before(e.flushBy) {
		return
	}
	e.flushBy = at
	if e.place == notAging {
		heap.Push(&d.aging, e)
	} else {
		heap.Fix(&d.aging, e.place)
	}
	if e.place > 0 {
		return
	}
	select {
	case d.sooner <- struct{}{}:
	default:
	}
}

// ageless takes an entry out of the aging. The caller holds mu.
func (d *Dir) ageless(e *Entry) {
	if e.place != notAging {
		heap.Remove(&d.aging, e.place)
	}
}

// FlushAged makes those partitions dirty whose oldest unflushed record is too
// old, and returns when it has to be called next; zero for never, as things
// are.
func (d *Dir) FlushAged(now time.Time) (next time.Time) {
	for {
		e, at := d.nextAged(now)
		if e == nil {
			return at
		}
		switch due, ok := e.partition.FlushDue(); {
		case !ok: // It was flushed for another reason.
		case due.After(now):
			e.DirtyBy(due)
		default:
			e.Dirty()
		}
	}
}

// nextAged takes an entry whose time has come, or returns when one's will.
func (d *Dir) nextAged(now time.Time) (e *Entry, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case len(d.aging) == 0:
		return nil, time.Time{}
	case d.aging[0].flushBy.After(now):
		return nil, d.aging[0].flushBy
	}
	return heap.Pop(&d.aging).(*Entry), time.Time{}
}
