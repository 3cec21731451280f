package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/vfs"
)

// keptSnapshots is how many snapshots stay: should the newest turn out to be
// damaged, the one before and the log give the same image.
const keptSnapshots = 2

const snapshotSuffix = ".checkpoint"

// snapshotRef is the place of a snapshot in the log, as its file name says.
type snapshotRef struct{ index, term uint64 }

func (s snapshotRef) String() string {
	return fmt.Sprintf("%020d-%010d%s", s.index, s.term, snapshotSuffix)
}

// snapshots are the snapshot files of a directory, newest first.
type snapshots struct {
	fs     vfs.FS
	dir    string
	logger *slog.Logger
	refs   []snapshotRef
}

func listSnapshots(fsys vfs.FS, dir string, logger *slog.Logger) (*snapshots, error) {
	s := &snapshots{fs: fsys, dir: dir, logger: logger}
	files, err := fsys.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		if ref, ok := parseSnapshotName(f.Name()); ok {
			s.refs = append(s.refs, ref)
		}
	}
	slices.SortFunc(s.refs, func(a, b snapshotRef) int { return cmp.Compare(b.index, a.index) })
	return s, nil
}

func parseSnapshotName(name string) (ref snapshotRef, ok bool) {
	stem, ok := strings.CutSuffix(name, snapshotSuffix)
	if !ok {
		return ref, false
	}
	index, term, _ := strings.Cut(stem, "-")
	var err1, err2 error
	ref.index, err1 = strconv.ParseUint(index, 10, 64)
	ref.term, err2 = strconv.ParseUint(term, 10, 64)
	return ref, err1 == nil && err2 == nil && ref.String() == name
}

// newest loads the newest snapshot that is intact (D17), and drops the others
// from the list.
func (s *snapshots) newest() (snapshot, error) {
	var faults []error
	for i, ref := range s.refs {
		snap, err := s.load(ref)
		if err == nil {
			s.refs = s.refs[i:]
			return snap, nil
		}
		s.logger.Warn("metadata snapshot passed over", "file", path.Join(s.dir, ref.String()), "err", err)
		faults = append(faults, fmt.Errorf("%s: %w", path.Join(s.dir, ref.String()), err))
	}
	return snapshot{}, fmt.Errorf("no metadata snapshot can be read; with other voters replace this node, alone restore the directory from a backup: %w", errors.Join(faults...))
}

func (s *snapshots) load(ref snapshotRef) (snapshot, error) {
	b, err := vfs.ReadFile(s.fs, path.Join(s.dir, ref.String()))
	if err != nil {
		return snapshot{}, err
	}
	snap, err := decodeSnapshot(b)
	if err != nil {
		return snapshot{}, err
	}
	if found := (snapshotRef{snap.index(), snap.term()}); found != ref {
		return snapshot{}, fmt.Errorf("%w: the file holds the snapshot %s", ErrCorrupt, found)
	}
	return snap, nil
}

// save writes a snapshot durably. The older ones stay until trim.
func (s *snapshots) save(snap snapshot) error {
	ref := snapshotRef{snap.index(), snap.term()}
	if err := vfs.WriteFile(s.fs, path.Join(s.dir, ref.String()), snap.encode()); err != nil {
		return err
	}
	s.refs = append([]snapshotRef{ref}, s.refs...)
	return nil
}

// trim removes all but the newest snapshots. A file that cannot be removed is
// in nobody's way.
func (s *snapshots) trim() {
	for len(s.refs) > keptSnapshots {
		last := s.refs[len(s.refs)-1]
		if err := s.fs.Remove(path.Join(s.dir, last.String())); err != nil {
			s.logger.Warn("old metadata snapshot not removed", "file", path.Join(s.dir, last.String()), "err", err)
		}
		s.refs = s.refs[:len(s.refs)-1]
	}
}

// oldest is the oldest snapshot that is kept. The log begins behind it.
func (s *snapshots) oldest() snapshotRef { return s.refs[len(s.refs)-1] }
