package commitlog

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Span is a segment that is closed: nothing is appended to it any more.
type Span struct {
	Base int64
	End  int64 // where the next segment begins
	// Bytes is the size of its batches.
	Bytes int64
}

// Spans lists the closed segments, oldest first.
func (l *Log) Spans() []Span {
	segments := *l.segments.Load()
	spans := make([]Span, len(segments)-1)
	for i := range spans {
		spans[i] = Span{segments[i].base, segments[i+1].base, segments[i].size.Load()}
	}
	return spans
}

// Times returns the timestamp of the first batch of the segment that begins at
// base, and the largest of all its batches; -1 where there is none.
func (l *Log) Times(base int64) (first, largest int64, err error) {
	for {
		segments := l.segments.Load()
		s := segmentOf(*segments, base)[0]
		if first, err = s.firstTimestamp(); err == nil {
			var stamp Stamp
			stamp, err = s.largestStamp()
			largest = stamp.Timestamp
		}
		if !l.moved(segments, err) {
			return first, largest, err
		}
	}
}

// ErrReplaced means that segments were removed while what was to take their
// place was written. They stay as they are.
var ErrReplaced = errors.New("commitlog: segments were removed meanwhile")

// Rewrite replaces neighbouring segments by one that holds what is left of
// their batches, at the same offsets:
//
//	r, err := log.Rewrite(from, to)
//	for b, err := range r.Batches() {
//		r.Keep(smaller)            // or nothing
//	}
//	err = r.Commit()               // or r.Discard()
//
// Everything but Commit happens beside the log: in a file named .cleaned that
// nobody reads. The segment that results ends where the old ones did: if the
// last batch was not kept, an empty one stands for it. So compaction leaves no
// hole between two segments, and one that is there tells of a loss.
//
// # The swap
//
// A crash at any moment leaves the old segments or the new one, and whatever
// is left to do is done by the next Open:
//
//	.log.cleaned  written, synced        dropped by Open
//	.log.swap     renamed, synced        from here on the new one counts: Open
//	                                     removes the old ones and goes on
//	              the old ones renamed to .deleted, synced
//	.log          renamed, synced
//
// Readers see one list of segments or the other. One that still holds the old
// one finds its files closed, and looks again.
type Rewrite struct {
	log  *Log
	old  []*segment
	next *segment // under its .cleaned name; its handle is held until the end
	file vfs.File
	buf  []byte
	done bool

	last    [record.HeaderSize]byte // of the batch that was read last
	readEnd int64                   // behind it
	keptEnd int64                   // behind the batch that was kept last
	size    int64                   // of what was kept
	// markers are the offsets of the transaction markers that were kept.
	markers map[int64]bool
}

// rewriteBuffer is what is written at once.
const rewriteBuffer = 1 << 20

// Rewrite begins to replace the closed segments that lie between two of their
// bases.
func (l *Log) Rewrite(from, to int64) (*Rewrite, error) {
	if err := l.usable(); err != nil {
		return nil, err
	}
	r := &Rewrite{log: l, keptEnd: -1, readEnd: -1, markers: map[int64]bool{}}
	segments := *l.segments.Load()
	for _, s := range segments[:len(segments)-1] {
		if s.base >= from && s.base < to {
			r.old = append(r.old, s)
		}
	}
	if len(r.old) == 0 || r.old[0].base != from {
		return nil, fmt.Errorf("%w: no segment begins at %d", ErrReplaced, from)
	}
	r.next = newSegment(l.fs, l.options.Files, l.dir, from)
	r.next.largestKnown = true
	r.next.mem.Store(newMemIndex())
	h, err := l.options.Files.Create(r.next.path + logSuffix + cleanedSuffix)
	if err != nil {
		return nil, err
	}
	r.next.log = h
	if r.file, err = h.Acquire(); err != nil {
		r.remove()
		return nil, err
	}
	return r, nil
}

// Batches goes over the batches of the old segments. Their checksums hold: what
// is rewritten gets a new one, which must not cover rot. A batch is valid until
// the next step.
func (r *Rewrite) Batches() iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		for _, s := range r.old {
			if !r.batchesOf(s, yield) {
				return
			}
		}
	}
}

func (r *Rewrite) batchesOf(s *segment, yield func(record.Batch, error) bool) bool {
	f, err := s.log.Acquire()
	if err != nil {
		yield(nil, err)
		return false
	}
	defer s.log.Release()
	in := scan{file: f, end: s.size.Load()}
	for {
		position := in.position
		b, err := in.next()
		if err == nil && b == nil {
			return true
		}
		if err == nil {
			err = r.check(s, b)
		}
		if err != nil {
			if !isDiskError(err) {
				err = s.corrupt(position, r.readEnd, err)
			}
			yield(nil, err)
			return false
		}
		copy(r.last[:], b)
		r.readEnd = b.LastOffset() + 1
		if !yield(b, nil) {
			return false
		}
	}
}

// check reports what is wrong with a batch of an old segment. Its base offset
// lies outside the checksum.
func (r *Rewrite) check(s *segment, b record.Batch) error {
	if err := b.CheckStored(); err != nil {
		return err
	}
	if base := b.BaseOffset(); base < max(s.base, r.readEnd) || b.LastOffset()-s.base > maxRelative {
		return fmt.Errorf("%w: %d to %d follow %d", errBack, base, b.LastOffset(), r.readEnd-1)
	}
	return nil
}

// Keep adds a batch: one of those that Batches gave, or one that holds some of
// its records. The bytes are copied.
func (r *Rewrite) Keep(b record.Batch) error {
	position := r.size
	if position+int64(len(b)) > maxSegmentBytes {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, position+int64(len(b)))
	}
	r.next.note(b, position, r.log.config.Load().IndexInterval)
	r.buf = append(r.buf, b...)
	r.size += int64(len(b))
	r.keptEnd = b.LastOffset() + 1
	if b.IsControl() && b.Count() > 0 {
		r.markers[b.LastOffset()] = true
	}
	if len(r.buf) >= rewriteBuffer {
		return r.writeOut()
	}
	return nil
}

func (r *Rewrite) writeOut() error {
	_, err := r.file.WriteAt(r.buf, r.size-int64(len(r.buf)))
	r.buf = r.buf[:0]
	return err
}

// Written is how many bytes were kept so far.
func (r *Rewrite) Written() int64 { return r.size }

// Discard ends a rewrite that is not to be. It is of no effect after Commit.
func (r *Rewrite) Discard() {
	if r.done {
		return
	}
	r.done = true
	r.next.log.Release()
	r.remove()
}

func (r *Rewrite) remove() {
	r.next.log.Close()
	for _, suffix := range []string{logSuffix, txnSuffix} {
		_ = r.log.fs.Remove(r.next.path + suffix + cleanedSuffix) // Removed at the next open if it fails here.
	}
}

// Commit puts the new segment in the place of the old ones, durably.
func (r *Rewrite) Commit() error {
	if r.done {
		return ErrReplaced
	}
	hasTxns, err := r.finish()
	if err != nil {
		r.Discard()
		return err
	}
	l := r.log
	l.structure.Lock()
	defer l.structure.Unlock()
	if err := r.decide(hasTxns); err != nil {
		return err
	}
	if err := r.swap(hasTxns); err != nil {
		return l.fail(fmt.Errorf("replace segments from %d on: %w", r.next.base, err))
	}
	return nil
}

// finish writes what is missing of the new files and syncs them.
func (r *Rewrite) finish() (hasTxns bool, err error) {
	if r.keptEnd != r.readEnd {
		var w record.Rewriter
		w.Begin(r.last[:])
		empty, err := w.Finish()
		if err != nil {
			return false, err
		}
		if err := r.Keep(empty); err != nil {
			return false, err
		}
	}
	if err := r.writeOut(); err != nil {
		return false, err
	}
	if hasTxns, err = r.joinTxns(); err != nil {
		return false, err
	}
	r.next.size.Store(r.size)
	return hasTxns, r.file.Sync()
}

// joinTxns makes one index of aborted transactions out of those of the old
// segments. A transaction whose marker is gone must not be in it: to a consumer
// it would have no end, and swallow the producer's later ones.
func (r *Rewrite) joinTxns() (found bool, err error) {
	joined, err := abortedIn(r.old, nil, 0, math.MaxInt64)
	joined = slices.DeleteFunc(joined, func(t AbortedTxn) bool { return !r.markers[t.LastOffset] })
	if err != nil || len(joined) == 0 {
		return false, err
	}
	r.next.aborted.list.Store(growOf(joined))
	f, err := r.log.fs.OpenFile(r.next.path+txnSuffix+cleanedSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return false, err
	}
	_, err = f.WriteAt(encodeAborted(joined), 0)
	if err == nil {
		err = f.Sync()
	}
	return true, errors.Join(err, f.Close())
}

// decide gives the new files the names by which they count, durably. Until then
// everything can be taken back.
func (r *Rewrite) decide(hasTxns bool) error {
	l := r.log
	err := l.usable()
	if err == nil && !r.inPlace() {
		err = ErrReplaced
	}
	if err == nil && hasTxns {
		err = l.renameDurably(r.next.path+txnSuffix+cleanedSuffix, r.next.path+txnSuffix+swapSuffix)
	}
	if err == nil {
		err = l.fs.Rename(r.next.path+logSuffix+cleanedSuffix, r.next.path+logSuffix+swapSuffix)
	}
	if err != nil {
		_ = l.fs.Remove(r.next.path + txnSuffix + swapSuffix)
		r.Discard()
		return err
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		r.done = true
		r.next.log.Release()
		r.next.log.Close()
		return l.fail(err)
	}
	return nil
}

// renameDurably is a rename that is durable before the next one.
func (l *Log) renameDurably(from, to string) error {
	if err := l.fs.Rename(from, to); err != nil {
		return err
	}
	return l.fs.SyncDir(l.dir)
}

// inPlace reports whether the old segments are still those of the log.
func (r *Rewrite) inPlace() bool {
	return r.find(*r.log.segments.Load()) >= 0
}

func (r *Rewrite) find(segments []*segment) int {
	i := slices.Index(segments, r.old[0])
	if i < 0 || len(segments)-1-i < len(r.old) || !slices.Equal(segments[i:i+len(r.old)], r.old) {
		return -1
	}
	return i
}

// swap carries out what was decided. The caller holds structure, so nothing
// else removes segments.
func (r *Rewrite) swap(hasTxns bool) error {
	l := r.log
	r.done = true
	defer r.next.log.Close() // Readers that hold it finish.
	defer r.next.log.Release()
	l.replace(r.old, r.next)
	for _, s := range r.old[1:] {
		if err := s.retire(); err != nil {
			return err
		}
	}
	first := r.old[0]
	first.close()
	first.removeCaches()
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	if hasTxns {
		if err := l.renameDurably(r.next.path+txnSuffix+swapSuffix, r.next.path+txnSuffix); err != nil {
			return err
		}
	}
	if err := l.renameDurably(r.next.path+logSuffix+swapSuffix, r.next.path+logSuffix); err != nil {
		return err
	}
	settled, err := r.settled(hasTxns)
	if err != nil {
		return err
	}
	l.replace([]*segment{r.next}, settled)
	for _, s := range r.old[1:] {
		s.erase()
		l.options.Removed(s.base)
	}
	return nil
}

// settled is the new segment under the name that it has in the end.
func (r *Rewrite) settled(hasTxns bool) (*segment, error) {
	s := newSegment(r.log.fs, r.log.options.Files, r.log.dir, r.next.base)
	s.size.Store(r.size)
	s.largest, s.largestKnown = r.next.largest, true
	s.mem.Store(r.next.mem.Load())
	s.aborted.onDisk.Store(hasTxns)
	return s, s.freeze()
}

// replace puts a segment into the list in the place of others.
func (l *Log) replace(old []*segment, by *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	segments := l.copySegments()
	i := slices.Index(segments, old[0])
	for _, s := range old {
		l.bytes.Add(-s.size.Load())
		l.unsynced.forget(s)
	}
	l.bytes.Add(by.size.Load())
	l.publish(slices.Replace(segments, i, i+len(old), by))
}
