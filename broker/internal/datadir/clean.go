package datadir

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/broker/internal/cleaner"
	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Compactable is what the cleaner looks after.
type Compactable interface {
	// Dirt says what awaits compaction; nothing where the topic has none. It
	// answers from memory.
	Dirt(now time.Time, cleaned, limit int64) (cleaner.Dirt, error)
	// Compact does it. Pace is told of every byte read and written.
	Compact(d cleaner.Dirt, now time.Time, keys *cleaner.OffsetMap, pace func(bytes int) error) (cleaner.Result, error)
}

// CleanerOptions are the broker's configs of the log cleaner. The zero value
// has Kafka's defaults.
type CleanerOptions struct {
	// Backoff is how long the cleaner rests when nothing is due; 0 means 15
	// seconds (log.cleaner.backoff.ms).
	Backoff time.Duration
	// KeyBytes bounds the memory for keys; 0 means 128 MiB
	// (log.cleaner.dedupe.buffer.size). It is taken while a log is compacted,
	// as far as its dirty part needs it.
	KeyBytes int
	// BytesPerSecond bounds what is read and written together; 0 does not
	// (log.cleaner.io.max.bytes.per.second).
	BytesPerSecond float64
}

const (
	defaultKeyBytes = 128 << 20
	defaultBackoff  = 15 * time.Second
)

// CleanerStats counts what the cleaner has done since the directory was opened.
type CleanerStats struct {
	Runs, Failures int64
	// Read and Written are bytes; Reclaimed is by how much the logs shrank.
	Read, Written, Reclaimed int64
	// Dropped is how many records were removed.
	Dropped int64
	// Busy is the time that runs took.
	Busy time.Duration
	// MaxDirtyRatio is that of the dirtiest log, at the last look.
	MaxDirtyRatio float64
	// Uncleanable is how many logs the cleaner has given up on.
	Uncleanable int64
}

// cleaning is the state of the cleaner of a directory.
type cleaning struct {
	runs, failures, read, written, reclaimed, dropped, busy, uncleanable atomic.Int64
	maxRatio                                                             atomic.Uint64 // bits of a float64
}

// CleanerStats tells what the cleaner has done.
func (d *Dir) CleanerStats() CleanerStats {
	c := &d.cleaning
	return CleanerStats{
		Runs: c.runs.Load(), Failures: c.failures.Load(), Read: c.read.Load(), Written: c.written.Load(),
		Reclaimed: c.reclaimed.Load(), Dropped: c.dropped.Load(), Busy: time.Duration(c.busy.Load()),
		MaxDirtyRatio: math.Float64frombits(c.maxRatio.Load()), Uncleanable: c.uncleanable.Load(),
	}
}

// runCleaner is the cleaner's goroutine: it compacts what is due, the dirtiest log
// first, until ctx ends.
func (d *Dir) runCleaner(ctx context.Context) {
	options := d.options.Cleaner
	pace := func(int) error { return ctx.Err() }
	if options.BytesPerSecond > 0 {
		pace = (&pacer{rate: options.BytesPerSecond}).pace(ctx)
	}
	rest := time.NewTimer(cmp.Or(options.Backoff, defaultBackoff))
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		for ctx.Err() == nil && d.Compact(time.Now(), pace) > 0 {
		}
		rest.Reset(cmp.Or(options.Backoff, defaultBackoff))
	}
}

// pacer keeps the cleaner to a rate. What it owes is paid in rests of at least
// paceRest, since a timer for every batch would cost more than it spares.
type pacer struct {
	rate float64
	free time.Time // when what was used so far is paid
}

const paceRest = 20 * time.Millisecond

func (p *pacer) pace(ctx context.Context) func(bytes int) error {
	return func(bytes int) error {
		now := time.Now()
		if p.free.Before(now) {
			p.free = now
		}
		p.free = p.free.Add(time.Duration(float64(bytes) / p.rate * float64(time.Second)))
		wait := p.free.Sub(now)
		if wait < paceRest {
			return ctx.Err()
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		return ctx.Err()
	}
}

// candidate is a log that is due.
type candidate struct {
	*Entry
	dirt cleaner.Dirt
}

// Compact compacts every log that is due, the dirtiest first, and returns how
// many it has compacted. The memory for keys lives as long as the call.
func (d *Dir) Compact(now time.Time, pace func(bytes int) error) (cleaned int) {
	due := d.dirty(now)
	if len(due) == 0 {
		return 0
	}
	keys := cleaner.NewOffsetMap(cmp.Or(d.options.Cleaner.KeyBytes, defaultKeyBytes))
	for _, c := range due {
		if d.cleanOne(c, now, keys, pace) {
			cleaned++
		}
	}
	return cleaned
}

// dirty lists the logs that are due.
func (d *Dir) dirty(now time.Time) (due []candidate) {
	dirtiest := 0.0
	for _, e := range d.list() {
		if e.uncleanable.Load() {
			continue
		}
		dirt, err := e.partition.Dirt(now, e.cleaned.Load(), d.storedRecoveryPoint(e.name))
		if err != nil {
			d.cleanFailed(e, err)
			continue
		}
		dirtiest = max(dirtiest, dirt.Ratio)
		if dirt.Due {
			due = append(due, candidate{e, dirt})
		}
	}
	d.cleaning.maxRatio.Store(math.Float64bits(dirtiest))
	slices.SortStableFunc(due, func(a, b candidate) int { return cmp.Compare(b.dirt.Ratio, a.dirt.Ratio) })
	return due
}

func (d *Dir) cleanOne(c candidate, now time.Time, keys *cleaner.OffsetMap, pace func(int) error) bool {
	begin := time.Now()
	result, err := c.partition.Compact(c.dirt, now, keys, pace)
	took := time.Since(begin)
	s := &d.cleaning
	s.runs.Add(1)
	s.busy.Add(int64(took))
	s.read.Add(result.Read)
	s.written.Add(result.Written)
	s.reclaimed.Add(result.Before - result.After)
	s.dropped.Add(result.Dropped)
	if err != nil {
		d.cleanFailed(c.Entry, err)
		return false
	}
	c.cleaned.Store(result.Cleaned)
	c.Changed()
	d.logger.Info("compacted a log", "log", c.name, "from", c.dirt.From, "to", result.Cleaned,
		"bytes_before", result.Before, "bytes_after", result.After, "records_dropped", result.Dropped, "took", took)
	return true
}

// cleanFailed notes that a log was not compacted. What holds bad records would
// fail again and is given up on until the next start.
func (d *Dir) cleanFailed(e *Entry, err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, commitlog.ErrClosed), errors.Is(err, commitlog.ErrReplaced), d.Flusher.Err() != nil, !d.keeps(e):
		return // The broker, the log or the directory stops, or other segments are there now.
	case cleaner.IsCorrupt(err):
		e.uncleanable.Store(true)
		d.cleaning.uncleanable.Add(1)
		d.logger.Error("a log cannot be compacted: it is damaged, and left alone until the next start", "log", e.name, "error", err)
	case vfs.IsNoSpace(err):
		d.logger.Error("a log was not compacted: the disk is full", "log", e.name, "error", err)
	default:
		d.logger.Error("a log was not compacted", "log", e.name, "error", err)
	}
	d.cleaning.failures.Add(1)
}

// storedRecoveryPoint is what a start after a crash would find: compaction stays
// below it, so that no offset lacks above it.
func (d *Dir) storedRecoveryPoint(name string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stored[name]
}
