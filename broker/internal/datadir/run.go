package datadir

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// checkpointDelay is how long after a change the checkpoints are written.
const checkpointDelay = time.Second

// Run flushes, at once and by age, writes checkpoints, looks at retention and compacts until ctx
// ends. It then flushes what is dirty.
func (d *Dir) Run(ctx context.Context) error {
	d.Flusher.open()
	var cleaner sync.WaitGroup
	cleaner.Go(func() { d.runCleaner(ctx) })
	defer cleaner.Wait()
	retention := time.NewTicker(d.options.RetentionInterval)
	defer retention.Stop()
	checkpoint := time.NewTimer(0)
	checkpoint.Stop()
	defer checkpoint.Stop()
	aged := time.NewTimer(0)
	aged.Stop()
	defer aged.Stop()
	for {
		select {
		case <-ctx.Done():
			d.Flusher.close()
			return d.Flusher.Flush()
		case <-d.wake:
			checkpoint.Reset(checkpointDelay)
		case <-checkpoint.C:
			if err := d.Checkpoint(); err != nil && d.Flusher.Err() == nil {
				d.logger.Error("checkpoints could not be written", "error", err)
				d.retryCheckpoint(checkpoint)
			}
		case <-d.sooner:
			d.flushAged(aged)
		case <-aged.C:
			d.flushAged(aged)
		case now := <-retention.C:
			d.Retain(now)
		}
	}
}

// retryCheckpoint tries again later, on a full disk for instance.
func (d *Dir) retryCheckpoint(timer *time.Timer) { timer.Reset(10 * checkpointDelay) }

// flushAged has the timer fire when the next partition's time comes.
func (d *Dir) flushAged(timer *time.Timer) {
	timer.Stop()
	if next := d.FlushAged(time.Now()); !next.IsZero() {
		timer.Reset(time.Until(next))
	}
}

// Retain removes what has expired, partition by partition, and returns how
// many segments went. Partitions have no timers of their own: asking ten
// thousand of them whether something is due costs less than a millisecond.
func (d *Dir) Retain(now time.Time) (deleted int) {
	for _, e := range d.list() {
		due, ok := e.partition.NextRetention(now)
		if !ok || due.After(now) {
			continue
		}
		n, err := e.partition.Retain(now)
		if n > 0 {
			e.Changed()
			d.logger.Info("removed expired segments", "log", e.name, "segments", n)
		}
		if err != nil && d.Flusher.Err() == nil {
			d.logger.Error("expired segments could not be removed", "log", e.name, "error", err)
		}
		deleted += n
	}
	return deleted
}

// list returns the entries in the order of their names: the simulation needs
// one order for one seed.
func (d *Dir) list() []*Entry {
	d.mu.Lock()
	entries := slices.Collect(maps.Keys(d.entries))
	d.mu.Unlock()
	slices.SortFunc(entries, func(a, b *Entry) int {
		switch {
		case a.name < b.name:
			return -1
		case a.name > b.name:
			return 1
		}
		return 0
	})
	return entries
}
