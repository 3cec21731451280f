package commitlog

import (
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Log is the log of one partition.
type Log struct {
	fs      vfs.FS
	dir     string
	options OpenOptions
	logger  *slog.Logger
	config  atomic.Pointer[Config]

	// What readers see. The writer stores end before the segment's size, so a
	// reader that loads the size first knows that all offsets within it are
	// below the end it then loads.
	segments atomic.Pointer[[]*segment] // ascending; the last one is active
	start    atomic.Int64
	end      atomic.Int64
	bytes    atomic.Int64
	flushed  atomic.Int64
	offline  atomic.Pointer[error]
	epochs   epochs
	recovery Recovery
	// abortedFrom is where Open's knowledge of aborted transactions ends.
	abortedFrom int64

	// structure is held by whoever removes or replaces segments, from the
	// decision until it is durable: over syncs, which is why it is none of what
	// appends and readers wait for. It comes before mu.
	structure sync.Mutex

	// mu guards what the writer changes. It is held over the append's own
	// write and over renames, never over a sync.
	mu       sync.Mutex
	bufs     [][]byte  // of the write under way, kept for reuse
	created  time.Time // when the active segment began to take batches without timestamps
	lastTime time.Time // the latest now that Append was given; it never goes back

	// unsynced is what the next flush must cover.
	unsynced unsynced
}

// Append writes batches that are stamped with the offsets that follow the
// log's end, in order, and makes them readable. All that go to one segment go
// out in one write. A write that fails is cut off again, and none of the
// batches is in the log.
//
// It allocates nothing once the active segment is warm. The batches are not
// kept.
func (l *Log) Append(batches []record.Batch, now time.Time) error {
	return l.AppendEnding(batches, nil, now)
}

// AppendEnding is Append of batches among which are markers that abort these
// transactions, in the order of the markers.
func (l *Log) AppendEnding(batches []record.Batch, aborted []AbortedTxn, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.checkOffsets(batches); err != nil {
		return err
	}
	if now.After(l.lastTime) {
		l.lastTime = now // A clock that steps back does not roll segments early or late.
	}
	before := l.end.Load()
	for rest := batches; len(rest) > 0; {
		n, left, err := l.appendSome(rest, aborted, l.lastTime)
		if err != nil {
			return l.undoAppend(before, err)
		}
		rest, aborted = rest[n:], left
	}
	return nil
}

// checkOffsets refuses batches that do not continue the log. Gaps are fine:
// a follower of a compacted log receives them.
func (l *Log) checkOffsets(batches []record.Batch) error {
	next := l.end.Load()
	for _, b := range batches {
		if b.BaseOffset() < next || b.LastOffset() < b.BaseOffset() { // The sum may overflow.
			return fmt.Errorf("%w: base offset %d with delta %d, the end is %d", ErrNotContiguous, b.BaseOffset(), b.LastOffsetDelta(), next)
		}
		if int64(len(b)) > maxSegmentBytes {
			return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
		}
		next = b.LastOffset() + 1
	}
	return nil
}

// appendSome writes as many of the batches as one segment takes, after
// rolling if it is due, and returns how many, and the aborted transactions
// whose markers are still to come.
func (l *Log) appendSome(batches []record.Batch, aborted []AbortedTxn, now time.Time) (int, []AbortedTxn, error) {
	var total int64
	for _, b := range batches {
		total += int64(len(b))
	}
	if l.rollDue(batches[0], total, now) {
		if err := l.roll(batches[0].BaseOffset()); err != nil {
			return 0, nil, err
		}
	}
	active := l.active()
	size := active.size.Load()
	n := 0
	l.bufs = l.bufs[:0]
	for total = size; n < len(batches) && fits(active, batches[n], total); n++ {
		l.bufs = append(l.bufs, batches[n])
		total += int64(len(batches[n]))
	}
	if n == 0 {
		return 0, nil, ErrTooLarge
	}
	left, err := l.write(active, size, batches[:n], aborted, now)
	return n, left, err
}

// fits reports whether the index can address a batch at this position.
func fits(s *segment, b record.Batch, position int64) bool {
	return position+int64(len(b)) <= maxSegmentBytes && b.LastOffset()-s.base <= maxRelative
}

func (l *Log) write(active *segment, size int64, batches []record.Batch, aborted []AbortedTxn, now time.Time) ([]AbortedTxn, error) {
	f, err := active.log.Acquire()
	if err != nil {
		return nil, err
	}
	defer active.log.Release()
	written, err := f.WriteVec(l.bufs, size)
	clear(l.bufs)
	if err != nil {
		return nil, fmt.Errorf("append at position %d, %d bytes written: %w", size, written, err)
	}
	l.unsynced.touch(active, l.options.Pagecache)
	if size == 0 {
		l.created = now
	}
	interval := l.config.Load().IndexInterval
	for _, b := range batches {
		active.note(b, size, interval)
		l.epochs.assign(b.LeaderEpoch(), b.BaseOffset())
		size += int64(len(b))
	}
	end := batches[len(batches)-1].LastOffset() + 1
	aborted = active.noteAborted(aborted, end)
	l.end.Store(end)
	l.bytes.Add(size - active.size.Load())
	active.size.Store(size)
	return aborted, nil
}

// undoAppend cuts off what a failed Append left behind, in the file and in
// segments that it began. If even that fails, the log is offline: bytes that
// nobody knows lie where the next batch goes.
func (l *Log) undoAppend(end int64, cause error) error {
	if err := l.cutTo(end); err != nil {
		return l.fail(fmt.Errorf("%w; and cutting it off: %w", cause, err))
	}
	// The next flush makes the cut durable, before the recovery point moves
	// beyond this segment: what the write left must not come back behind it.
	l.unsynced.touch(l.active(), l.options.Pagecache)
	return cause
}

// Roll begins a new segment, unless the active one is empty.
func (l *Log) Roll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if l.active().size.Load() == 0 {
		return nil
	}
	return l.roll(l.end.Load())
}

// RollOlder is Roll if the active segment's first timestamp lies before ts, in
// milliseconds.
func (l *Log) RollOlder(ts int64) error {
	l.mu.Lock()
	old := l.active().size.Load() > 0 && l.active().first >= 0 && l.active().first < ts
	l.mu.Unlock()
	if !old {
		return nil
	}
	return l.Roll()
}

const maxRelative = 1<<31 - 1

// rollDue reports whether the active segment must not take the next batches:
// full by bytes, by age, by index, or by the range of relative offsets.
//
// Age is record time, as in Kafka: the span from the first batch's timestamp
// to the next one's. Only batches without timestamps go by the clock.
func (l *Log) rollDue(next record.Batch, total int64, now time.Time) bool {
	active := l.active()
	size := active.size.Load()
	if size == 0 {
		// An empty segment is of no use to the next one either, unless its
		// base is out of reach.
		return next.LastOffset()-active.base > maxRelative
	}
	cfg := l.config.Load()
	var aged bool
	if ts := next.MaxTimestamp(); active.first >= 0 && ts >= 0 {
		aged = ts-active.first > cfg.SegmentAge.Milliseconds()
	} else {
		aged = now.Sub(l.created) > cfg.SegmentAge
	}
	return aged || size+total > cfg.SegmentBytes ||
		active.indexBytes()+timeEntrySize > cfg.MaxIndexBytes ||
		next.LastOffset()-active.base > maxRelative
}

// roll begins a segment at base. The old one's data is covered by the next
// flush, and so is the name of the new one.
func (l *Log) roll(base int64) error {
	old := l.active()
	if old.size.Load() == 0 {
		if err := l.replaceEmpty(old, base); err != nil {
			return err
		}
		// As in create: a later segment's name must not outlive this one's. It
		// is the one sync under the lock, for a follower that begins two
		// billion offsets away from where it was empty.
		return l.fs.SyncDir(l.dir)
	}
	if err := old.writeIndex(); err != nil {
		return err
	}
	s, err := createSegment(l.fs, l.options.Files, l.dir, base)
	if err != nil {
		return err
	}
	l.unsynced.named()
	l.publish(append(l.copySegments(), s))
	old.mem.Store(nil) // From here on the index files serve.
	old.aborted.list.Store(nil)
	l.options.Rolled(base)
	return nil
}

// replaceEmpty moves the beginning of a segment that holds nothing yet.
func (l *Log) replaceEmpty(old *segment, base int64) error {
	s, err := createSegment(l.fs, l.options.Files, l.dir, base)
	if err != nil {
		return err
	}
	segments := l.copySegments()
	segments[len(segments)-1] = s
	l.unsynced.named()
	l.unsynced.forget(old)
	l.publish(segments)
	if err := old.retire(); err != nil {
		return err
	}
	old.erase()
	return nil
}

func (l *Log) publish(segments []*segment) { l.segments.Store(&segments) }

func (l *Log) copySegments() []*segment {
	return append([]*segment(nil), *l.segments.Load()...)
}

func (l *Log) active() *segment {
	segments := *l.segments.Load()
	return segments[len(segments)-1]
}

// segmentOf returns the segment that holds an offset, if any does, and those
// after it.
func segmentOf(segments []*segment, offset int64) []*segment {
	i := sort.Search(len(segments), func(i int) bool { return segments[i].base > offset })
	return segments[max(i-1, 0):]
}

// usable reports why nothing can be written.
func (l *Log) usable() error {
	if err := l.offline.Load(); err != nil {
		return *err
	}
	return nil
}

// Fail takes the log offline for good: a flush that covers it has failed
// elsewhere, as one of the whole filesystem does. Append and FlushDone return
// ErrOffline from here on.
func (l *Log) Fail(cause error) { _ = l.fail(cause) }

func (l *Log) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrOffline, cause)
	l.offline.CompareAndSwap(nil, &err)
	return err
}

// Start is the first offset that can be read.
func (l *Log) Start() int64 { return l.start.Load() }

// End is the offset that the next record gets.
func (l *Log) End() int64 { return l.end.Load() }

// Flushed is the offset below which everything is durable.
func (l *Log) Flushed() int64 { return l.flushed.Load() }

// Size is how many bytes the batches take.
func (l *Log) Size() int64 { return l.bytes.Load() }

// Segments is how many segments there are.
func (l *Log) Segments() int { return len(*l.segments.Load()) }

// Dir is the directory that holds the log.
func (l *Log) Dir() string { return l.dir }

// Recovery tells what Open found.
func (l *Log) Recovery() Recovery { return l.recovery }

// Config is the configuration in force.
func (l *Log) Config() Config { return *l.config.Load() }

// SetConfig changes the configuration from the next append and retention on.
func (l *Log) SetConfig(cfg Config) {
	cfg = cfg.withDefaults()
	l.config.Store(&cfg)
}

// Err reports why the log takes no appends: it is offline or closed.
func (l *Log) Err() error { return l.usable() }
