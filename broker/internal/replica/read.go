package replica

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/wait"
)

// ReadRequest is what a consumer asks of one partition.
type ReadRequest struct {
	Offset   int64
	MaxBytes int
	// MinOne returns a first batch larger than MaxBytes all the same (KIP-74).
	MinOne bool
	// CurrentEpoch is the leader epoch that the client knows, -1 for none.
	CurrentEpoch int32
	// LastFetchedEpoch is the epoch of the last batch that the client has, -1
	// for none: with it the leader says where their logs part (KIP-595).
	LastFetchedEpoch int32
	Isolation        Isolation
	// Aborted is memory for ReadResult.Aborted.
	Aborted []commitlog.AbortedTxn
}

// ReadResult is what a read found. Its positions are filled in also when the
// offset is out of range.
type ReadResult struct {
	// Range holds whole batches below the high watermark, or with
	// read_committed below the last stable offset; empty where there are none.
	// The caller releases it.
	Range commitlog.Range
	// Aborted are the aborted transactions that overlap Range, with
	// read_committed: their records are to be dropped.
	Aborted       []commitlog.AbortedTxn
	HighWatermark int64
	// LastStable is where a read_committed consumer stops.
	LastStable int64
	LogStart   int64
	// DivergingEpoch and DivergingEnd say where the client's log parts from
	// this one; -1 where it does not.
	DivergingEpoch int32
	DivergingEnd   int64

	isolation Isolation
	epoch     int32 // under which the read was made
	position  int64 // bytes that it could see at the time, at least
}

// Read returns the batches from the one that holds the offset on. It takes no
// lock and allocates nothing.
func (p *Partition) Read(r ReadRequest) (ReadResult, error) {
	role := p.role.Load()
	// The bytes are loaded before the offset they lie below: a wait then
	// counts too many as new rather than too few.
	result := ReadResult{
		position: p.visibleBytes.Load(), epoch: role.epoch, isolation: r.Isolation, DivergingEpoch: -1, DivergingEnd: -1,
	}
	if r.Isolation == ReadCommitted {
		result.position = p.stableBytes.Load()
	}
	if err := role.check(r.CurrentEpoch); err != nil {
		return result, err
	}
	stable := p.lastStable.Load() // before the high watermark, which it never passes
	hw := p.highWatermark.Load()
	result.HighWatermark, result.LastStable, result.LogStart = hw, stable, p.log.Start()
	if r.LastFetchedEpoch >= 0 {
		if diverges, err := p.diverges(r, &result); diverges || err != nil {
			return result, err
		}
	}
	if r.Offset > hw && hw < role.epochStart && r.Offset <= p.log.End() {
		return result, ErrOffsetNotAvailable
	}
	if r.Isolation == ReadCommitted {
		return p.readCommitted(r, result)
	}
	var err error
	result.Range, err = p.log.Read(r.Offset, hw, r.MaxBytes, r.MinOne)
	return result, p.readError(err)
}

// readCommitted reads up to the last stable offset. Every marker below it was
// indexed before it came to stand there.
func (p *Partition) readCommitted(r ReadRequest, result ReadResult) (ReadResult, error) {
	var err error
	result.Range, err = p.log.Read(r.Offset, result.LastStable, r.MaxBytes, r.MinOne)
	if err == nil && result.Range.Size() > 0 {
		result.Aborted, err = p.log.Aborted(r.Aborted[:0], r.Offset, result.Range.Next())
		if err != nil {
			result.Range.Release()
			result.Range = commitlog.Range{}
		}
	}
	return result, p.readError(err)
}

// diverges reports whether the client's log parts from this one below the
// offset it asks for.
func (p *Partition) diverges(r ReadRequest, result *ReadResult) (bool, error) {
	found, end := p.log.EpochEnd(r.LastFetchedEpoch)
	if end < 0 {
		return false, fmt.Errorf("%w: epoch %d was never led here", ErrOffsetOutOfRange, r.LastFetchedEpoch)
	}
	if found < r.LastFetchedEpoch || end < r.Offset {
		result.DivergingEpoch, result.DivergingEnd = found, end
		return true, nil
	}
	return false, nil
}

func (p *Partition) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, commitlog.ErrOffsetOutOfRange):
		return fmt.Errorf("%w: %w", ErrOffsetOutOfRange, err)
	case errors.Is(err, commitlog.ErrClosed) || errors.Is(err, fs.ErrClosed):
		return ErrClosed
	default:
		return fmt.Errorf("%w: read %s: %w", ErrStorage, p.name(), err)
	}
}

// AwaitBytes adds to what w waits for the bytes that become visible after a
// read, under its isolation level.
func (p *Partition) AwaitBytes(w *wait.Waiter, r ReadResult) {
	if r.isolation == ReadCommitted {
		p.settled.AwaitBytes(w, r.epoch, r.position)
		return
	}
	p.visible.AwaitBytes(w, r.epoch, r.position)
}

// Watch tells set of whatever a reader under that isolation level should look
// at again: bytes, the high watermark, leadership, the log start, the end.
func (p *Partition) Watch(w *wait.Watch, set *wait.Watches, isolation Isolation) {
	if isolation == ReadCommitted {
		p.settled.Watch(w, set)
		p.visible.WatchAlso(w, set)
		return
	}
	p.visible.Watch(w, set)
}
