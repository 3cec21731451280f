package cleaner

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/internal/record"
)

// Job is one run over one log.
type Job struct {
	Log *commitlog.Log
	// From and To are those of [Inspect].
	From, To        int64
	Now             time.Time
	DeleteRetention time.Duration
	Keys            *OffsetMap
	// Aborted are the aborted transactions that have records below To.
	Aborted []Aborted
	// Last returns what is known of a producer; nil knows none.
	Last func(producerID int64) (Last, bool)
	// Pace is told of bytes that were read or written, and may take its time.
	// Its error ends the run, with what was put in place so far.
	Pace func(bytes int) error
}

// Result is what a run has done. It counts also after an error.
type Result struct {
	// Cleaned is the first dirty offset of the next run; that of this one after
	// an error.
	Cleaned int64
	// Read and Written are bytes, of both passes.
	Read, Written int64
	// Before and After are the sizes of the segments that were gone over.
	Before, After int64
	// Dropped is how many records did not stay.
	Dropped int64
}

// run is a job under way.
type run struct {
	*Job
	filter filter
	result Result
}

// Run compacts the log.
func (j *Job) Run() (Result, error) {
	r := run{Job: j, result: Result{Cleaned: j.From}}
	if r.Last == nil {
		r.Last = func(int64) (Last, bool) { return Last{}, false }
	}
	if r.Pace == nil {
		r.Pace = func(int) error { return nil }
	}
	now := j.Now.UnixMilli()
	r.filter = filter{
		keys: j.Keys, now: now, horizon: satAdd(now, j.DeleteRetention.Milliseconds()),
		last: r.Last, txns: newTxns(j.Aborted),
	}
	defer r.filter.open.Close()
	end, err := r.collect()
	if err != nil {
		return r.result, err
	}
	r.filter.end = end
	for _, group := range r.groups(end) {
		if err := r.rewrite(group); err != nil {
			return r.result, err
		}
	}
	r.result.Dropped = r.filter.dropped
	r.result.Cleaned = end
	return r.result, nil
}

func satAdd(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// collect notes the newest offset of each key of the dirty part, and returns
// how far it came.
func (r *run) collect() (end int64, err error) {
	r.Keys.Reset(r.To - r.From)
	for b, err := range r.Log.Batches(r.From, r.To) {
		if err != nil {
			return 0, err
		}
		if err := b.CheckStored(); err != nil {
			return 0, &commitlog.CorruptError{File: r.Log.Dir(), Offset: b.BaseOffset(), Reason: err}
		}
		r.result.Read += int64(len(b))
		if err := r.Pace(len(b)); err != nil {
			return 0, err
		}
		if b.IsControl() || r.filter.txns.isAborted(b) {
			continue
		}
		if count := int(b.Count()); !r.Keys.Fits(count) {
			if r.Keys.Len() > 0 {
				return b.BaseOffset(), nil
			}
			r.Keys.grow(count)
		}
		if err := r.note(b); err != nil {
			return 0, err
		}
	}
	return r.To, nil
}

func (r *run) note(b record.Batch) error {
	records, err := r.filter.open.Expand(b)
	if err != nil {
		return err
	}
	return b.Scan(records, func(raw record.Raw) error {
		if raw.Key != nil {
			r.Keys.Put(raw.Key, b.BaseOffset()+int64(raw.OffsetDelta))
		}
		return nil
	})
}

// group is neighbouring segments that become one.
type group struct {
	from, to int64
	segments int
	bytes    int64
}

// groups joins segments up to the size of one.
func (r *run) groups(end int64) (list []group) {
	limit := r.Log.Config().SegmentBytes
	for _, s := range r.Log.Spans() {
		if s.Base >= end || s.End > r.To {
			break
		}
		if n := len(list) - 1; n >= 0 && list[n].bytes+s.Bytes <= limit && s.End-list[n].from <= math.MaxInt32 {
			list[n].to, list[n].bytes = s.End, list[n].bytes+s.Bytes
			list[n].segments++
			continue
		}
		list = append(list, group{s.Base, s.End, 1, s.Bytes})
	}
	return list
}

// rewrite goes over one group. A segment of which all stays is left alone.
func (r *run) rewrite(g group) error {
	w, err := r.Log.Rewrite(g.from, g.to)
	if err != nil {
		return err
	}
	defer w.Discard()
	changed := g.segments > 1
	for b, err := range w.Batches() {
		if err != nil {
			return err
		}
		kept, err := r.filter.apply(b)
		if err != nil {
			return fmt.Errorf("compact %v: %w", b, err)
		}
		changed = changed || len(kept) != len(b) || &kept[0] != &b[0]
		if kept != nil {
			if err := w.Keep(kept); err != nil {
				return err
			}
		}
		r.result.Read += int64(len(b))
		if err := r.Pace(len(b) + len(kept)); err != nil {
			return err
		}
	}
	r.result.Before += g.bytes
	r.result.Written += w.Written()
	if !changed {
		r.result.After += g.bytes
		return nil
	}
	if err := w.Commit(); err != nil {
		return err
	}
	r.result.After += w.Written()
	return nil
}

// IsCorrupt reports whether a run has failed because of what the log holds: it
// would fail again.
func IsCorrupt(err error) bool {
	var corrupt *commitlog.CorruptError
	return errors.As(err, &corrupt) || errors.Is(err, record.ErrInvalid) || errors.Is(err, record.ErrCorrupt)
}
