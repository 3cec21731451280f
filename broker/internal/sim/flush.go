package sim

import (
	"fmt"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/datadir"
)

// A flush is three steps of the simulation, with others between them. Several
// are under way at a time, each of another partition.
type flush struct {
	group  *datadir.Group
	synced bool
}

// maxFlushes is how many flushes are under way at most.
const maxFlushes = 3

// flush takes the next step of a flush that is under way, or begins one.
func (w *World) flush() {
	l := w.life
	i := w.steps.IntN(maxFlushes)
	if i >= len(l.flushes) {
		if g, ok := l.dir.Flusher.Begin(); ok {
			l.flushes = append(l.flushes, &flush{group: g})
			w.trace.add("a flush begins")
			return
		}
	}
	if len(l.flushes) == 0 {
		return
	}
	w.proceed(i % len(l.flushes))
}

// proceed takes a flush one step on.
func (w *World) proceed(i int) {
	l := w.life
	f := l.flushes[i]
	if !f.synced {
		err := f.group.Sync()
		w.trace.add("flush %d synced: %v", i, err)
		if err == nil || w.dead() {
			f.synced = true
			return
		}
		l.flushes = slices.Delete(l.flushes, i, i+1)
		f.group.End(err)
		return
	}
	l.flushes = slices.Delete(l.flushes, i, i+1)
	f.group.End(nil)
	w.trace.add("flush %d ended", i)
}

// finishFlushes waits for the flushes that are under way.
func (l *life) finishFlushes() {
	for len(l.flushes) > 0 {
		l.world.proceed(0)
	}
}

// flushAll flushes until nothing is dirty.
func (w *World) flushAll() {
	for l := w.life; ; {
		l.finishFlushes()
		g, ok := l.dir.Flusher.Begin()
		if !ok {
			return
		}
		l.flushes = append(l.flushes, &flush{group: g})
	}
}

// watch holds the high watermarks and last stable offsets of all partitions
// against the model, after every step.
func (w *World) watch() error {
	for _, p := range w.life.care() {
		id, hw := partitionID{p.Topic(), p.Index()}, p.HighWatermark()
		switch before := w.life.highest[id]; {
		case hw < before:
			return fmt.Errorf("I3: %v: the high watermark went from %d back to %d", id, before, hw)
		case hw > p.LogEnd():
			return fmt.Errorf("I3: %v: the high watermark %d is above the log's end %d", id, hw, p.LogEnd())
		case hw > before:
			w.life.highest[id] = hw
			w.trace.add("%v: high watermark %d", id, hw)
			if err := w.logs[id].keep(hw, "committed"); err != nil {
				return err
			}
		}
		if len(w.transactors) > 0 {
			if err := w.logs[id].checkStable(p); err != nil {
				return err
			}
		}
	}
	return nil
}
