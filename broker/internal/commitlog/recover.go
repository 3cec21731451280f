package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"

	"github.com/millrace-io/millrace/internal/record"
)

// Recovery tells what Open found in a log that was not closed in order.
type Recovery struct {
	// Scanned is how many bytes of batches were checked.
	Scanned int64
	// Cut is how many bytes were cut off, in all segments, and CutAt the
	// place and the reason; nil where nothing was.
	Cut   int64
	CutAt *CorruptError
	// Quarantined are the files that hold what was cut where valid batches
	// lay behind the cut. A replica that has some is suspect: it may lack
	// what others hold.
	Quarantined []string
	// Damaged says that the log ends below its recovery point: data that was
	// synced is gone.
	Damaged bool
}

// recovering is the state of one recovery.
type recovering struct {
	*Log
	next  int64 // the offset that the next batch has
	epoch int32 // of the batch before
}

// recover scans the segments from the given one on. The first bad batch ends
// the log.
func (l *Log) recover(from int) error {
	segments := l.segmentList()
	if from == len(segments) {
		return nil
	}
	if !l.options.Clean {
		l.epochs.truncateEnd(segments[from].base)
	}
	r := recovering{Log: l, next: segments[from].base, epoch: l.epochBefore(segments[from].base)}
	for i, s := range segments[from:] {
		bad, err := r.scanSegment(s)
		if err != nil {
			return err
		}
		if bad != nil {
			if err := r.cutAt(segments[:from+i+1], segments[from+i+1:], bad); err != nil {
				return err
			}
			break
		}
	}
	l.end.Store(r.next)
	if err := r.settle(from); err != nil {
		return err
	}
	if l.recovery.Damaged = !l.options.Clean && r.next < l.options.RecoveryPoint; l.recovery.Damaged {
		l.logger.Error("the log ends below its recovery point: synced data is gone",
			"end", r.next, "recovery_point", l.options.RecoveryPoint)
	}
	return nil
}

// epochBefore is the epoch of the last batch below an offset.
func (l *Log) epochBefore(offset int64) int32 {
	if offset == 0 {
		return -1
	}
	return l.EpochAt(offset - 1)
}

// scanSegment checks every batch of a segment and makes its indexes anew. It
// returns the first bad place, or nil.
func (r *recovering) scanSegment(s *segment) (*CorruptError, error) {
	f, err := s.log.Acquire()
	if err != nil {
		return nil, err
	}
	defer s.log.Release()
	if bad, err := r.checkBase(s); bad != nil || err != nil {
		return bad, err
	}
	r.next = s.base
	s.mem.Store(newMemIndex())
	s.aborted.begin()
	s.scanned = true
	s.begin(noStamp)
	interval := r.config.Load().IndexInterval
	in := scan{file: f, end: s.size.Load()}
	for {
		position := in.position
		b, err := in.next()
		if err == nil && b == nil {
			return nil, nil
		}
		if err == nil {
			err = r.check(b)
		}
		if err != nil {
			if isDiskError(err) {
				return nil, err
			}
			return s.corrupt(position, r.next, err), nil
		}
		s.note(b, position, interval)
		r.epochs.assign(b.LeaderEpoch(), b.BaseOffset())
		r.epoch, r.next = b.LeaderEpoch(), b.LastOffset()+1
		r.recovery.Scanned += int64(len(b))
		if r.options.OnBatch != nil && b.LastOffset() >= r.options.Replay {
			if err := r.options.OnBatch(b); err != nil {
				return nil, fmt.Errorf("replay of %v: %w", b, err)
			}
		}
	}
}

// isDiskError tells a read that failed from bytes that are wrong: what cannot
// be read must not be cut.
func isDiskError(err error) bool {
	var pathErr *fs.PathError
	return errors.As(err, &pathErr)
}

var (
	errGap   = errors.New("offsets are missing")
	errBack  = errors.New("offsets go back")
	errEpoch = errors.New("leader epoch goes back")
)

// checkBase checks where a segment begins against the end of the one before.
// Kafka's compaction leaves holes there; ours does not ([Rewrite]). Above the
// recovery point a hole is what a crash made of an unsynced write, whatever the
// topic's policy.
func (r *recovering) checkBase(s *segment) (*CorruptError, error) {
	switch {
	case s.base < r.next:
		return s.corrupt(0, r.next, fmt.Errorf("%w: the segment begins at %d, the one before ends at %d", errBack, s.base, r.next)), nil
	case s.base == r.next:
		return nil, nil
	}
	synced := r.next < r.options.RecoveryPoint || r.options.RecoveryPoint == UnknownRecoveryPoint
	if synced && r.config.Load().Compacted {
		return nil, nil
	}
	bad := s.corrupt(0, r.next, fmt.Errorf("%w: the segment begins at %d, the one before ends at %d", errGap, s.base, r.next))
	if synced {
		return nil, fmt.Errorf("a segment is missing that was synced; put it back, or move the later ones away: %w", bad)
	}
	return bad, nil
}

// check reports what is wrong with a batch as the next one of the log.
func (r *recovering) check(b record.Batch) error {
	if err := b.CheckStored(); err != nil {
		return err
	}
	switch base := b.BaseOffset(); {
	case base < r.next || b.LastOffset() < base:
		return fmt.Errorf("%w: %d follows %d", errBack, base, r.next-1)
	case base > r.next && base >= r.options.RecoveryPoint && r.options.RecoveryPoint != UnknownRecoveryPoint:
		return fmt.Errorf("%w: %d follows %d", errGap, base, r.next-1)
	case b.LeaderEpoch() >= 0 && b.LeaderEpoch() < r.epoch:
		return fmt.Errorf("%w: %d follows %d", errEpoch, b.LeaderEpoch(), r.epoch)
	}
	return nil
}

func (s *segment) corrupt(position, offset int64, reason error) *CorruptError {
	return &CorruptError{File: s.path + logSuffix, Position: position, Offset: offset, Reason: reason}
}

// cutAt ends the log at a bad place in the last of the segments that are
// kept. Where valid batches lie behind it, everything that is cut is saved
// first.
func (r *recovering) cutAt(kept, later []*segment, bad *CorruptError) error {
	s := kept[len(kept)-1]
	rot, err := r.validBehind(s, later, bad)
	if err != nil {
		return err
	}
	r.recovery.CutAt = bad
	r.recovery.Cut = s.size.Load() - bad.Position
	for _, l := range later {
		r.recovery.Cut += l.size.Load()
	}
	if rot {
		if err := r.quarantine(s, later, bad); err != nil {
			return err
		}
	}
	r.report(bad, rot)
	for i := len(later) - 1; i >= 0; i-- {
		if err := r.remove(later[i]); err != nil {
			return err
		}
	}
	if bad.Position == 0 && s.base != r.next && len(kept) > 1 {
		// Nothing is left of it, and its name would promise offsets that the
		// log does not have.
		kept = kept[:len(kept)-1]
		if err := r.remove(s); err != nil {
			return err
		}
	} else if err := r.shorten(s, bad.Position); err != nil {
		return err
	}
	r.publish(kept)
	return nil
}

func (r *recovering) report(bad *CorruptError, rot bool) {
	attrs := []any{
		slog.String("file", bad.File), slog.Int64("position", bad.Position), slog.Int64("offset", bad.Offset),
		slog.Int64("bytes", r.recovery.Cut), slog.String("found", bad.Reason.Error()),
	}
	if rot {
		r.logger.Error("a damaged batch lies before valid ones: saved what follows it and cut the log",
			append(attrs, slog.Any("saved", r.recovery.Quarantined))...)
		return
	}
	r.logger.Warn("cut a torn tail off the log", attrs...)
}

func (r *recovering) remove(s *segment) error {
	if err := s.retire(); err != nil {
		return err
	}
	s.erase()
	return r.fs.SyncDir(r.dir)
}

// shorten cuts the file of a segment whose index knows only what was good.
func (r *recovering) shorten(s *segment, size int64) error {
	if err := s.truncateFile(size); err != nil {
		return err
	}
	s.size.Store(size)
	if s.mem.Load() == nil {
		s.mem.Store(newMemIndex())
		s.largestKnown = true
	}
	s.aborted.begin()
	s.scanned = true
	return nil
}

// settle makes what recovery found durable, and writes the indexes that it
// made anew. After the death of a process alone the page cache still holds
// what was never synced: it must not count as flushed by being there.
//
// If that process died of a failed sync, the pages are in the cache and count
// as clean: a sync alone would do nothing. So what lies above the recovery
// point, a second of appends, is written once more before it is synced.
func (r *recovering) settle(from int) error {
	segments := r.segmentList()
	for i, s := range segments[from:] {
		if err := r.rewrite(s); err != nil {
			return err
		}
		if err := s.sync(); err != nil {
			return err
		}
		if from+i < len(segments)-1 {
			if err := s.freeze(); err != nil {
				return err
			}
		}
	}
	if err := r.fs.SyncDir(r.dir); err != nil {
		return err
	}
	return r.fs.SyncDir(path.Dir(r.dir))
}

// rewrite makes the pages of what lies above the recovery point dirty again,
// by writing the same bytes in place.
func (r *recovering) rewrite(s *segment) error {
	end := s.size.Load()
	if r.options.Clean || end == 0 {
		return nil
	}
	var from int64
	if s.base < r.options.RecoveryPoint {
		var err error
		if from, _, err = s.positionOf(r.options.RecoveryPoint); err != nil {
			return err
		}
	}
	f, err := s.log.Acquire()
	if err != nil {
		return err
	}
	defer s.log.Release()
	return copyBytes(f, from, end, f, from)
}

func (s *segment) sync() error {
	f, err := s.log.Acquire()
	if err != nil {
		return err
	}
	defer s.log.Release()
	return f.Sync()
}
