package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Suffixes of what is to take the place of segments: see [Rewrite]. Kafka uses
// the same, with the same meaning.
const (
	cleanedSuffix = ".cleaned"
	swapSuffix    = ".swap"
)

// finishSwaps carries out the replacements that a stop has interrupted after
// they were decided, and drops the files of those that were not.
func (l *Log) finishSwaps(entries []fs.DirEntry) (changed bool, err error) {
	var bases []int64
	for _, entry := range entries {
		base, suffix, ok := parseName(entry.Name())
		switch {
		case !ok || entry.IsDir():
		case suffix == logSuffix+swapSuffix:
			if err := l.finishSwap(base, entries); err != nil {
				return true, err
			}
			bases = append(bases, base)
		case strings.HasSuffix(suffix, cleanedSuffix):
			changed = true
			if err := l.fs.Remove(path.Join(l.dir, entry.Name())); err != nil {
				return true, err
			}
		}
	}
	for _, entry := range entries {
		if _, suffix, ok := parseName(entry.Name()); ok && strings.HasSuffix(suffix, swapSuffix) && suffix != logSuffix+swapSuffix {
			changed = true
			err := l.fs.Remove(path.Join(l.dir, entry.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // Renamed above.
				return true, err
			}
		}
	}
	return changed || len(bases) > 0, nil
}

// finishSwap goes on where [Rewrite.swap] was interrupted.
func (l *Log) finishSwap(base int64, entries []fs.DirEntry) error {
	name := segmentName(l.dir, base)
	end, err := l.swapEnd(base)
	if err != nil {
		return fmt.Errorf("a segment that is to replace others cannot be read; restore %s%s from a copy: %w", name, logSuffix+swapSuffix, err)
	}
	for _, entry := range entries {
		old, suffix, ok := parseName(entry.Name())
		if !ok || suffix != logSuffix || old <= base || old >= end {
			continue
		}
		s := newSegment(l.fs, l.options.Files, l.dir, old)
		if err := s.retire(); err != nil {
			return err
		}
	}
	newSegment(l.fs, l.options.Files, l.dir, base).removeCaches()
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	err = l.renameDurably(name+txnSuffix+swapSuffix, name+txnSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return l.renameDurably(name+logSuffix+swapSuffix, name+logSuffix)
}

// swapEnd returns the offset behind the last batch of a replacement.
func (l *Log) swapEnd(base int64) (end int64, err error) {
	s := newSegment(l.fs, l.options.Files, l.dir, base)
	f, err := l.fs.OpenFile(s.path+logSuffix+swapSuffix, 0, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // It was read only.
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	w := newWalk(f, 0, size)
	defer w.done()
	for end = base; ; {
		header, position, err := w.next()
		if err != nil {
			return 0, s.corrupt(position, end, err)
		}
		if header == nil {
			return end, nil
		}
		end = header.LastOffset() + 1
	}
}

// removeCaches removes the indexes of a segment that is to go. Without their
// log they would be removed by the next Open.
func (s *segment) removeCaches() {
	for _, suffix := range []string{indexSuffix, timeSuffix, txnSuffix} {
		_ = s.fsys.Remove(s.path + suffix)
	}
}
