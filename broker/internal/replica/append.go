package replica

import (
	"fmt"

	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
)

// AppendRequest says for whom a batch is appended, and how.
type AppendRequest struct {
	Acks int16
	// LeaderEpoch is the one the client knows, -1 for none.
	LeaderEpoch int32
	// Internal batches are the broker's own: they may hold control records,
	// and who makes them bounds their size.
	Internal bool
	// Guard is what Verify gave for a batch that begins a transaction here,
	// once the coordinator has agreed.
	Guard producerstate.Guard

	bumps bool // a marker of transactions v2
}

// AppendResult is where a batch went.
type AppendResult struct {
	BaseOffset, LastOffset int64
	LogStart               int64
	// LogAppendTime is the timestamp that the records got, in milliseconds;
	// -1 if they kept their own.
	LogAppendTime int64
	// LeaderEpoch is the epoch under which the batch was found or appended:
	// Await waits in it.
	LeaderEpoch int32
	// Duplicate: the batch was in the log already, at these offsets.
	Duplicate bool
}

// Append appends one batch, which the caller has checked ([record.Batch.Check]
// and CheckRecords). It returns once the batch is written; whether it is
// flushed and committed is Await's.
//
// Appends that arrive while one is being written wait in a queue, and the
// next to hold the lock writes all of them at once. The batch's header is
// changed in place: offsets, epoch, and where the topic says so the timestamp.
func (p *Partition) Append(b record.Batch, r AppendRequest) (AppendResult, error) {
	if rules := p.rules.Load(); rules != nil && !r.Internal {
		var err error
		if b, err = rules.conform(b, p.deps.Now()); err != nil {
			return AppendResult{}, fmt.Errorf("%s: %w", p.name(), err)
		}
	}
	a := p.queue.put(b, r)
	p.mu.Lock()
	var flush flushing
	var woken wait.Woken
	if !a.done { // else whoever held the lock before has written it too
		flush, woken = p.drain()
	}
	p.mu.Unlock()
	result, err := a.result, a.err
	p.queue.recycle(a)
	p.ask(flush)
	woken.Wake()
	if err != nil {
		err = p.explain(b, err)
	}
	return result, err
}

// Await adds to what w waits for that the batch is committed. With acks=all
// this is the ack: a duplicate waits like its original.
func (p *Partition) Await(w *wait.Waiter, r AppendResult) {
	p.visible.AwaitOffset(w, r.LeaderEpoch, r.LastOffset+1)
}

// drain writes everything that is queued in one write. The caller holds mu.
func (p *Partition) drain() (flush flushing, woken wait.Woken) {
	p.drained = p.queue.take(p.drained[:0])
	p.batches = p.batches[:0]
	now := p.deps.Now()
	p.writing = now
	begin := p.state.Positions().End
	end, size := begin, 0
	for _, a := range p.drained {
		a.err = p.admit(a, begin, end, p.bytes+int64(size))
		if a.err == nil && !a.result.Duplicate {
			p.batches = append(p.batches, a.batch)
			end = a.result.LastOffset + 1
			size += len(a.batch)
		}
	}
	rolled, err := p.write()
	for _, a := range p.drained {
		a.done = true
		if err != nil && a.written {
			a.err = err
		}
	}
	wrote := len(p.batches) > 0 && err == nil
	if wrote {
		p.counts.appended(p.batches, size)
	}
	clear(p.batches) // they are the callers' from here on
	clear(p.drained)
	if !wrote {
		return flush, woken
	}
	p.bytes += int64(size)
	p.marks.add(end, p.bytes)
	return p.flushing(end, rolled), p.perform(p.state.Appended(end))
}

// write makes the drain's batches part of the log and of the producers'
// state, or of neither. It reports whether a segment has begun.
func (p *Partition) write() (rolled bool, err error) {
	if len(p.batches) == 0 {
		return false, nil
	}
	if err := p.log.AppendEnding(p.batches, p.aborted(), p.writing); err != nil {
		p.producers.Rollback()
		p.rolledAt.Store(0) // cut off again with the rest
		return false, fmt.Errorf("%w: append to %s: %w", ErrStorage, p.name(), err)
	}
	rolled = p.snapshotRoll()
	p.producers.Commit()
	return rolled, nil
}

// admit decides on one batch of a drain that began at offset begin and has
// come to end, with that many bytes below: refused, a duplicate, or stamped as
// the next. The batches admitted before it count, though they are not written
// yet.
func (p *Partition) admit(a *pending, begin, end, position int64) error {
	b, now := a.batch, p.writing
	if err := p.mayAppend(b, a.request); err != nil {
		return err
	}
	if !a.request.Internal {
		if err := p.checkTimes(b, now); err != nil {
			return err
		}
	}
	epoch := p.state.Leadership().LeaderEpoch
	a.result = AppendResult{LogStart: p.log.Start(), LogAppendTime: -1, LeaderEpoch: epoch}
	duplicate, found, err := p.check(a)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", p.name(), err)
	case found:
		a.result.found(duplicate, p.config.AppendTime)
		a.written = duplicate.LastOffset >= begin
		return nil
	}
	if p.config.AppendTime {
		p.stamped = max(p.stamped, now.UnixMilli())
		b.SetLogAppendTime(p.stamped)
		a.result.LogAppendTime = p.stamped
	}
	b.Stamp(end, epoch)
	p.producers.Update(b, now, position)
	a.result.BaseOffset, a.result.LastOffset = end, b.LastOffset()
	a.written = true
	return nil
}

func (r *AppendResult) found(original producerstate.Batch, appendTime bool) {
	r.Duplicate = true
	r.BaseOffset, r.LastOffset = original.FirstOffset(), original.LastOffset
	if appendTime {
		r.LogAppendTime = original.Timestamp
	}
}

// mayAppend checks what does not depend on the log's contents.
func (p *Partition) mayAppend(b record.Batch, r AppendRequest) error {
	if p.closed != nil {
		return p.closed
	}
	if err := p.state.CheckAppend(r.LeaderEpoch, r.Acks); err != nil {
		return err
	}
	if limit := p.config.MaxMessageBytes; limit > 0 && len(b) > limit && !r.Internal {
		return fmt.Errorf("%w: %d bytes, %s allows %d", ErrMessageTooLarge, len(b), p.topic, limit)
	}
	if limit := p.log.Config().SegmentBytes; int64(len(b)) > limit {
		return fmt.Errorf("%w: %d bytes, the segments of %s have %d", ErrSegmentTooSmall, len(b), p.topic, limit)
	}
	if r.Internal {
		return nil
	}
	return mayClientSend(b)
}

// mayClientSend refuses what only the broker writes.
func mayClientSend(b record.Batch) error {
	switch {
	case b.IsControl():
		return fmt.Errorf("%w: control batch from a client", ErrInvalidRecord)
	case b.ProducerID() >= 0 && (b.BaseSequence() < 0 || b.ProducerEpoch() < 0):
		return fmt.Errorf("%w: producer %d with epoch %d and sequence %d", ErrInvalidRecord, b.ProducerID(), b.ProducerEpoch(), b.BaseSequence())
	case b.IsTransactional() && b.ProducerID() < 0:
		return fmt.Errorf("%w: transactional batch without a producer", ErrInvalidRecord)
	}
	return nil
}
