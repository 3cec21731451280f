package file

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// task reads the files of its share, in turn.
type task struct {
	settings *SourceSettings
	context  connect.TaskContext
	log      *slog.Logger
	share    share
	pattern  string // absolute
	open     map[string]*lines
	finished map[int64]position // files that were renamed away, by inode
	started  bool               // the first look at the files is over
	turn     int
}

func (t *task) Open(_ context.Context, c connect.TaskContext) error {
	pattern, err := filepath.Abs(t.settings.Path)
	if err != nil {
		return err
	}
	t.pattern, t.context, t.log = pattern, c, c.Logger()
	t.share = parseShare(c.Config()["share"])
	t.open, t.finished = map[string]*lines{}, map[int64]position{}
	if err := t.discover(); err != nil {
		return err
	}
	t.started = true
	return nil
}

func (t *task) Committed(context.Context, []connect.Position) error { return nil }

func (t *task) Close(context.Context) error {
	for _, l := range t.open {
		l.close()
	}
	return nil
}

// Read takes lines from the files in turn, and waits while all are at their
// end.
func (t *task) Read(ctx context.Context, b *connect.Batch) error {
	for {
		if err := t.sweep(b); err != nil {
			return err
		}
		if len(b.Records) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(t.settings.PollInterval):
		}
		if err := t.discover(); err != nil {
			return err
		}
	}
}

func (t *task) sweep(b *connect.Batch) error {
	paths := slices.Sorted(pathsOf(t.open))
	for i := range paths {
		path := paths[(i+t.turn)%len(paths)]
		if err := t.drain(path, b); err != nil {
			return err
		}
		if b.Full() {
			t.turn = (i + t.turn + 1) % len(paths) // the next file comes first next time
			return nil
		}
	}
	return nil
}

func pathsOf(open map[string]*lines) func(func(string) bool) {
	return func(yield func(string) bool) {
		for path := range open {
			if !yield(path) {
				return
			}
		}
	}
}

// drain reads one file until its end or until the batch is full.
func (t *task) drain(path string, b *connect.Batch) error {
	l := t.open[path]
	for !b.Full() {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return t.atEnd(path, l, b)
		}
		if err != nil {
			return err
		}
		if err := t.add(l, line, b); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) add(l *lines, line []byte, b *connect.Batch) error {
	at, err := l.position()
	if err != nil {
		return err
	}
	b.Add(connect.Record{
		Topic: t.settings.Topic, Partition: -1, Value: connect.Text(string(line)),
		Source: connect.Position{Partition: l.partition, Offset: at.offsetMap()},
	}, len(line)+64)
	return nil
}

// atEnd looks what has become of the file: grown, truncated, or replaced by
// another under its path.
func (t *task) atEnd(path string, l *lines, b *connect.Batch) error {
	truncated, err := l.refresh()
	if err != nil {
		return err
	}
	if truncated {
		t.log.Warn("file was truncated, reading it from the beginning", "path", path)
		return nil
	}
	replaced := t.replaced(path, l)
	if t.settings.AtEOF == "emit" || replaced {
		// Nobody goes on with a line of a file that was replaced.
		if line, ok := l.takePartial(); ok {
			if err := t.add(l, line, b); err != nil {
				return err
			}
		}
	}
	if !replaced {
		return nil
	}
	// Once more: lines may have come between the end and the rename.
	if line, err := l.next(); err == nil {
		return t.add(l, line, b)
	}
	at, err := l.position()
	if err != nil {
		return err
	}
	t.finished[l.inode] = at
	l.close()
	delete(t.open, path)
	return nil
}

func (t *task) replaced(path string, l *lines) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false // deleted, or just between rename and create
	}
	return inodeOf(info) != l.inode
}

// discover opens the files that are not open yet.
func (t *task) discover() error {
	paths, err := matches(t.pattern)
	if err != nil {
		return err
	}
	var fresh []string
	for _, path := range paths {
		if _, open := t.open[path]; !open && t.share.has(path) {
			fresh = append(fresh, path)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	stored := t.stored(fresh)
	for _, path := range fresh {
		if err := t.begin(path, stored); err != nil {
			return err
		}
	}
	return nil
}

// stored returns the positions of paths that have one.
func (t *task) stored(paths []string) map[string]position {
	partitions := make([]map[string]any, len(paths))
	for i, path := range paths {
		partitions[i] = partitionOf(path)
	}
	found := map[string]position{}
	for i, offset := range t.context.Offsets(partitions) {
		if p, ok := storedPosition(offset); ok {
			found[paths[i]] = p
		}
	}
	return found
}

// begin opens a path where it was left: in the same file, in the file that
// was renamed away, or, for a file that is new, at its start.
func (t *task) begin(path string, stored map[string]position) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // gone since it was listed
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, f.Close())
	}
	if t.reading(inodeOf(info)) {
		return f.Close() // renamed to a name that the glob matches too
	}
	offset := t.startOf(f, info, path, stored)
	if left, ok := stored[path]; ok && !left.is(f, info) && inodeOf(info) != left.inode && !t.started {
		if old, found := left.findRenamed(path); found {
			t.log.Info("file was renamed, reading it to its end first", "path", path)
			if err := f.Close(); err != nil {
				return err
			}
			f, offset = old, left.offset
		}
	}
	l, err := openLines(f, path, offset, int(t.settings.MaxLine))
	if err != nil {
		return err
	}
	t.open[path] = l
	return nil
}

// reading tells whether a file is open under another path, to be read to its
// end there.
func (t *task) reading(inode int64) bool {
	for _, l := range t.open {
		if l.inode == inode {
			return true
		}
	}
	return false
}

func (t *task) startOf(f *os.File, info os.FileInfo, path string, stored map[string]position) int64 {
	if left, ok := stored[path]; ok {
		if left.is(f, info) {
			return left.offset
		}
		t.log.Info("another file is under this path", "path", path)
		return 0
	}
	if left, ok := t.finished[inodeOf(info)]; ok && left.is(f, info) {
		return left.offset
	}
	for _, left := range stored { // renamed, to a name that the glob matches too
		if left.is(f, info) {
			return left.offset
		}
	}
	if t.settings.Start == "end" && !t.started {
		return endOf(f, info)
	}
	return 0
}

// endOf is the end of the text. For gzip that takes reading it.
func endOf(f *os.File, info os.FileInfo) int64 {
	l := &lines{file: f, maxLine: 1 << 30}
	if err := l.seek(0); err != nil || !l.gzipped {
		return info.Size()
	}
	n, _ := io.Copy(io.Discard, l.reader) // what cannot be read has no end to begin at
	return n
}
