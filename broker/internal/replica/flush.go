package replica

import (
	"errors"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
)

// Dir is the directory that holds the replica's log.
func (p *Partition) Dir() string { return p.log.Dir() }

// flushing is what the data directory is asked for after an append: to flush at
// once, by a time, or not at all.
type flushing struct {
	now bool
	by  time.Time
}

// flushing decides about an append that has brought the log to an end. Under
// pagecache nothing waits for a flush, but a segment that is full is flushed,
// so that recovery reads no more than the last one; and so is as much, or as
// old, as the topic's flush.messages and flush.ms say. The caller holds mu.
func (p *Partition) flushing(end int64, rolled bool) (f flushing) {
	if !p.config.PageCache {
		return flushing{now: true}
	}
	first := p.oldest.CompareAndSwap(0, p.writing.UnixNano())
	limit, age := p.config.FlushMessages, p.config.FlushAge
	switch unflushed := end - max(p.asked, p.log.Flushed()); {
	case rolled, limit > 0 && unflushed >= limit:
		p.asked, f.now = end, true
	case first && age > 0:
		f.by = p.writing.Add(age)
	}
	return f
}

// ask passes on what was decided, once the lock is free.
func (p *Partition) ask(f flushing) {
	switch {
	case f.now:
		p.deps.Disk.Dirty(p)
	case !f.by.IsZero():
		p.deps.Disk.DirtyBy(p, f.by)
	}
}

// FlushDue returns when the oldest record that no flush has captured becomes as
// old as flush.ms allows; false if there is none, or no such limit.
func (p *Partition) FlushDue() (due time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := p.oldest.Load()
	if oldest == 0 || !p.config.PageCache || p.config.FlushAge <= 0 || p.closed != nil {
		return time.Time{}, false
	}
	return time.Unix(0, oldest).Add(p.config.FlushAge), true
}

// Capture begins a flush of the log. Flushes of one partition do not overlap.
func (p *Partition) Capture() commitlog.Flush {
	// In this order: an append notes its time when the log has it, so what
	// begins to age behind this line is flushed once too often at worst.
	p.oldest.Store(0)
	return p.log.Capture()
}

// FlushDone ends a flush whose sync has succeeded: what it covers counts for
// the high watermark.
func (p *Partition) FlushDone(f commitlog.Flush) error {
	if err := p.log.FlushDone(f); errors.Is(err, commitlog.ErrClosed) {
		return ErrClosed
	} else if err != nil {
		p.FlushFailed(err)
		return err
	}
	p.mu.Lock()
	woken := p.perform(p.state.Flushed(p.log.Flushed()))
	p.mu.Unlock()
	woken.Wake()
	return nil
}

// FlushFailed ends a flush whose sync has failed. What the disk holds is not
// known any more, so the replica takes no appends until it is opened again,
// and what waits for a flush fails.
func (p *Partition) FlushFailed(cause error) {
	p.log.Fail(cause)
	p.stop(fmt.Errorf("%w: flush of %s: %w", ErrStorage, p.name(), cause))
}

// Checkpoint makes durable what recovery relies on, and returns what the data
// directory's checkpoint files are to hold. It syncs: it is for the one who
// writes them, off the path of acks.
func (p *Partition) Checkpoint() (recoveryPoint, logStart, highWatermark int64, err error) {
	recoveryPoint, err = p.log.Checkpoint()
	return recoveryPoint, p.log.Start(), p.highWatermark.Load(), err
}

// Retain removes segments that are too old or too many. Only what is
// committed is removed.
func (p *Partition) Retain(now time.Time) (deleted int, err error) {
	deleted, err = p.log.Retain(now, p.highWatermark.Load())
	if deleted == 0 {
		return deleted, err
	}
	p.started()
	return deleted, err
}

// NextRetention returns when Retain may find something to do; false for
// never, as things are.
func (p *Partition) NextRetention(now time.Time) (time.Time, bool) { return p.log.NextRetention(now) }

// Close stops the replica in order. What was appended is flushed and acked,
// then whoever still waits is told that the replica is closed. No flush of
// the partition runs any more.
func (p *Partition) Close() error {
	p.mu.Lock()
	stopped := p.closed != nil
	if !stopped {
		p.closed = ErrClosed
	}
	p.mu.Unlock()
	if !stopped {
		f := p.Capture()
		if err := f.Sync(); err != nil {
			p.FlushFailed(err)
		} else if err := p.FlushDone(f); err == nil {
			p.mu.Lock()
			p.producers.Expire(p.deps.Now())
			p.writeSnapshot(p.log.End())
			p.mu.Unlock()
		}
	}
	p.stop(ErrClosed)
	return p.log.Close()
}

// Delete stops the replica and removes its log. No flush of the partition
// runs any more.
func (p *Partition) Delete() error {
	p.stop(ErrDeleted)
	return p.log.Delete()
}
