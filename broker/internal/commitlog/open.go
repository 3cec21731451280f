package commitlog

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/vfs"
)

// Open opens the log in dir and creates it where there is none. A log that
// was not closed in order is scanned from its recovery point; what is damaged
// is cut off, and [Log.Recovery] tells what was found. Everything in a log
// that Open returns is durable.
func Open(fsys vfs.FS, dir string, cfg Config, opts OpenOptions) (*Log, error) {
	opts = opts.withDefaults(fsys)
	l := &Log{fs: fsys, dir: dir, options: opts, logger: opts.Logger.With("log", path.Base(dir))}
	l.SetConfig(cfg)
	l.epochs.set(nil)
	l.epochs.saved = l.epochs.version
	if err := l.open(); err != nil {
		for _, s := range l.segmentList() {
			s.close()
		}
		return nil, fmt.Errorf("open log %s: %w", dir, err)
	}
	return l, nil
}

func (l *Log) open() error {
	segments, err := l.list()
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		return l.create(l.options.LogStart)
	}
	l.publish(segments)
	if err := l.dropBelow(l.options.LogStart); err != nil {
		return err
	}
	from, err := l.scanFrom()
	if err != nil {
		return err
	}
	if err := l.recover(from); err != nil {
		return err
	}
	l.setBounds()
	l.checkAborted()
	return nil
}

func (l *Log) segmentList() []*segment {
	if p := l.segments.Load(); p != nil {
		return *p
	}
	return nil
}

// create begins a log that is not there yet. The name of its first segment is
// made durable at once: were it lost while that of a later one survived, the
// log would seem to begin there, and what was written before would be gone
// without a gap to tell of it.
func (l *Log) create(start int64) error {
	s, err := createSegment(l.fs, l.options.Files, l.dir, start)
	if err != nil {
		return err
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	l.publish([]*segment{s})
	l.start.Store(start)
	l.end.Store(start)
	l.flushed.Store(start)
	l.unsynced.parent = true
	return nil
}

// list makes the directory if need be and finds the segments in it. Files
// that are no part of a log are left alone.
func (l *Log) list() ([]*segment, error) {
	if err := l.fs.MkdirAll(l.dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	if changed, err := l.finishSwaps(entries); err != nil {
		return nil, err
	} else if changed {
		if entries, err = l.fs.ReadDir(l.dir); err != nil {
			return nil, err
		}
	}
	var segments []*segment
	var caches []string
	for _, entry := range entries {
		name := entry.Name()
		base, suffix, ok := parseName(name)
		switch {
		case !ok || entry.IsDir():
			l.stranger(name)
		case suffix == logSuffix:
			info, err := entry.Info()
			if err != nil {
				return nil, err
			}
			s := newSegment(l.fs, l.options.Files, l.dir, base)
			s.size.Store(info.Size())
			segments = append(segments, s)
		case suffix == indexSuffix || suffix == timeSuffix || suffix == txnSuffix:
			caches = append(caches, name)
		case strings.HasSuffix(suffix, deletedSuffix):
			_ = l.fs.Remove(path.Join(l.dir, name)) // Tried again at the next open.
		}
	}
	slices.SortFunc(segments, func(a, b *segment) int { return compare(a.base, b.base) })
	l.adoptCaches(segments, caches)
	removeTemporary(l.fs, l.dir)
	return segments, nil
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parseName takes the name of a segment's file apart: twenty digits and a
// suffix that a log knows.
func parseName(name string) (base int64, suffix string, ok bool) {
	if len(name) <= 20 {
		return 0, "", false
	}
	base, err := strconv.ParseInt(name[:20], 10, 64)
	if err != nil || base < 0 || name[0] < '0' {
		return 0, "", false
	}
	suffix = name[20:]
	plain := suffix
	for _, end := range []string{deletedSuffix, cleanedSuffix, swapSuffix} {
		plain = strings.TrimSuffix(plain, end)
	}
	switch plain {
	case logSuffix, indexSuffix, timeSuffix, txnSuffix, snapshotSuffix:
		return base, suffix, true
	}
	return 0, "", false
}

// stranger notes a file that is not the log's. Those that belong to others
// are no news.
func (l *Log) stranger(name string) {
	switch {
	case name == epochFile || name == epochFile+vfs.TemporarySuffix || name == "partition.metadata":
	case name == "quorum-state" || strings.HasSuffix(name, ".checkpoint"): // Beside the metadata log: package quorum.
	case strings.HasSuffix(name, quarantineSuffix):
	default:
		l.logger.Warn("left a file alone that is no part of a log", "file", path.Join(l.dir, name))
	}
}

// adoptCaches gives indexes to their segments, and removes those whose log is
// gone.
func (l *Log) adoptCaches(segments []*segment, caches []string) {
	for _, name := range caches {
		base, suffix, _ := parseName(name)
		i, found := slices.BinarySearchFunc(segments, base, func(s *segment, base int64) int { return compare(s.base, base) })
		switch {
		case !found:
			_ = l.fs.Remove(path.Join(l.dir, name))
		case suffix == txnSuffix:
			segments[i].aborted.onDisk.Store(true)
		}
	}
}

// dropBelow removes segments that a crash brought back, or that a stop left:
// all of them lies below the start.
func (l *Log) dropBelow(start int64) error {
	l.start.Store(start)
	_, err := l.removeBelowStart()
	return err
}

// scanFrom decides which segment recovery begins with; the number of segments
// for none.
func (l *Log) scanFrom() (int, error) {
	segments := l.segmentList()
	from := len(segments)
	if err := l.epochs.load(l.fs, l.dir); err != nil {
		if !errors.Is(err, errEpochFile) {
			return 0, err
		}
		// Only the log itself can tell the epochs.
		l.logger.Warn("leader epochs are read from the log, their file is damaged", "error", err)
		return 0, nil
	}
	if !l.options.Clean {
		// The segment that ends at the recovery point is scanned too: a failed
		// write may have left bytes behind its end.
		from = containing(segments, l.options.RecoveryPoint-1)
	} else if err := l.resumeLast(); err != nil {
		l.logger.Warn("the last segment is scanned, its end is not as it was left", "error", err)
		from = len(segments) - 1
	}
	if l.options.OnBatch != nil && (from < len(segments) || l.options.Replay < l.end.Load()) {
		from = min(from, containing(segments, l.options.Replay))
	}
	return from, nil
}

// containing returns the position in the list of the segment that holds an
// offset.
func containing(segments []*segment, offset int64) int {
	return len(segments) - len(segmentOf(segments, offset))
}

// resumeLast makes the last segment ready without a scan.
func (l *Log) resumeLast() error {
	last := l.active()
	if err := last.loadIndex(); err != nil {
		return err
	}
	end, err := last.resume()
	if err != nil {
		return err
	}
	l.end.Store(end)
	return last.loadAborted(end)
}

// setBounds publishes what the segments found amount to.
func (l *Log) setBounds() {
	segments := l.segmentList()
	var size int64
	for _, s := range segments {
		size += s.size.Load()
	}
	l.bytes.Store(size)
	l.flushed.Store(l.end.Load())
	l.start.Store(min(max(l.options.LogStart, segments[0].base), l.end.Load()))
	l.epochs.truncateStart(l.start.Load())
	if list := l.epochs.view(); l.options.Clean && len(list) > 0 && list[len(list)-1].Start > l.end.Load() {
		l.epochs.truncateEnd(l.end.Load() + 1)
	}
}
