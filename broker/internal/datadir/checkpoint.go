package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/vfs"
)

// The checkpoints of a data directory, in the order of the fields of mark.
const (
	recoveryPointFile = "recovery-point-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	highWatermarkFile = "replication-offset-checkpoint"
	cleanerFile       = "cleaner-offset-checkpoint"
)

const checkpoints = 4

// field is one number that a checkpoint keeps of each partition.
type field struct {
	file string
	of   func(*mark) *int64
}

func fields() [checkpoints]field {
	return [checkpoints]field{
		{recoveryPointFile, func(m *mark) *int64 { return &m.recoveryPoint }},
		{logStartFile, func(m *mark) *int64 { return &m.logStart }},
		{highWatermarkFile, func(m *mark) *int64 { return &m.highWatermark }},
		{cleanerFile, func(m *mark) *int64 { return &m.cleaned }},
	}
}

// readCheckpoints reads them all. One that cannot be read says nothing: the
// logs are then scanned from their beginning, the high watermark is learnt
// anew, the cleaner begins anew.
//
// That recovery points are not known is not the same as that nothing was
// synced: see [commitlog.UnknownRecoveryPoint].
func (d *Dir) readCheckpoints() (map[string]mark, error) {
	marks := map[string]mark{}
	for _, f := range fields() {
		name := path.Join(d.root, f.file)
		b, err := vfs.ReadFile(d.fs, name)
		if errors.Is(err, fs.ErrNotExist) {
			d.unknown = d.unknown || f.file == recoveryPointFile
			continue
		}
		if err != nil {
			return nil, err
		}
		offsets, err := parseCheckpoint(name, b)
		if err != nil {
			d.logger.Warn("a checkpoint cannot be read and is ignored", "error", err)
			d.unknown = d.unknown || f.file == recoveryPointFile
			continue
		}
		for partition, offset := range offsets {
			m, ok := marks[partition]
			if !ok {
				m = noMark
			}
			*f.of(&m) = offset
			marks[partition] = m
		}
	}
	return marks, nil
}

// Checkpoint writes what has changed since the last time: how far each
// partition is flushed, where it starts, its high watermark. A partition that
// cannot tell keeps its last mark; one that is closed or deleted meanwhile has
// nothing to tell.
func (d *Dir) Checkpoint() error {
	d.mu.Lock()
	d.changed = false
	d.mu.Unlock()
	entries := d.list()

	fresh := make(map[*Entry]mark, len(entries))
	var errs []error
	for _, e := range entries {
		if !e.takeChanged() {
			continue
		}
		m, err := e.mark()
		switch {
		case err == nil:
			fresh[e] = m
		case d.keeps(e):
			e.changed.Store(true)
			errs = append(errs, err)
		}
	}
	if err := d.writeMarks(fresh); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// keeps reports whether an entry is still in the directory's care. It leaves
// it before its log is closed.
func (d *Dir) keeps(e *Entry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.entries[e]
	return ok
}

// writeMarks writes the files whose contents the fresh marks change. Marks of
// an entry that has left meanwhile do not count: those of a deleted partition
// would be taken for the next one's of its name.
func (d *Dir) writeMarks(fresh map[*Entry]mark) error {
	// Held over the writes and their syncs: the checkpoints and a topic that
	// replaces another write the same files, and the later must win.
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	before := d.written
	d.stale = false
	for e, m := range fresh {
		if _, ok := d.entries[e]; ok {
			d.marks[e.name] = m
		}
	}
	after := maps.Clone(d.marks)
	d.mu.Unlock()
	for i, f := range fields() {
		text := formatCheckpoint(after, f)
		if before[i] == text {
			continue
		}
		if err := vfs.WriteFile(d.fs, path.Join(d.root, f.file), []byte(text)); err != nil {
			d.mu.Lock()
			d.stale = true
			d.mu.Unlock()
			return err
		}
		before[i] = text
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written = before
	for name, m := range after {
		d.stored[name] = m.recoveryPoint
	}
	return nil
}

// dropMarks removes what the files say about a partition, durably.
func (d *Dir) dropMarks(name string) error {
	d.mu.Lock()
	if _, ok := d.marks[name]; ok {
		delete(d.marks, name)
		delete(d.stored, name)
		d.stale = true
	}
	stale := d.stale
	d.mu.Unlock()
	if !stale {
		return nil
	}
	return d.writeMarks(nil)
}

// formatCheckpoint writes Kafka's text format: a version, the number of
// entries, and topic, partition and offset of each.
func formatCheckpoint(marks map[string]mark, f field) string {
	var b strings.Builder
	n := 0
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		m := marks[name]
		topic, partition, ok := ParseLogName(name)
		if offset := *f.of(&m); ok && offset >= 0 {
			fmt.Fprintf(&b, "%s %d %d\n", topic, partition, offset)
			n++
		}
	}
	return fmt.Sprintf("0\n%d\n%s", n, b.String())
}

func parseCheckpoint(file string, b []byte) (map[string]int64, error) {
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) < 2 || strings.TrimSpace(lines[0]) != "0" {
		return nil, &FormatError{file, 1, fmt.Sprintf("version is %q, only 0 is known", lines[0])}
	}
	if n, err := strconv.Atoi(strings.TrimSpace(lines[1])); err != nil || n != len(lines)-2 {
		return nil, &FormatError{file, 2, fmt.Sprintf("says %q entries, %d are there", lines[1], len(lines)-2)}
	}
	offsets := make(map[string]int64, len(lines)-2)
	for i, line := range lines[2:] {
		words := strings.Fields(line)
		if len(words) != 3 {
			return nil, &FormatError{file, i + 3, fmt.Sprintf("%q is not topic, partition and offset", line)}
		}
		partition, err := strconv.ParseInt(words[1], 10, 32)
		offset, err2 := strconv.ParseInt(words[2], 10, 64)
		if err != nil || err2 != nil || partition < 0 || offset < 0 {
			return nil, &FormatError{file, i + 3, fmt.Sprintf("%q has no valid partition and offset", line)}
		}
		offsets[LogName(words[0], int32(partition))] = offset
	}
	return offsets, nil
}
