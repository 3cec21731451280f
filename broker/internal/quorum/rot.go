package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
)

// checkForRot reads the whole log before it is opened, which would cut a bad
// entry off, and refuses where a later entry names the bad one as durable.
// The log is short (it begins behind the older snapshot), so this costs
// milliseconds.
func checkForRot(fsys vfs.FS, dir string) error {
	bases, err := segmentBases(fsys, dir)
	if err != nil {
		return err
	}
	s := scan{next: -1}
	for _, base := range bases {
		s.file = path.Join(dir, fmt.Sprintf("%020d.log", base))
		b, err := vfs.ReadFile(fsys, s.file)
		if err != nil {
			return err
		}
		s.segment(base, b)
	}
	if s.rot != nil {
		return s.rot
	}
	return nil
}

func segmentBases(fsys vfs.FS, dir string) ([]int64, error) {
	files, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, f := range files {
		stem, isLog := strings.CutSuffix(f.Name(), ".log")
		if base, err := strconv.ParseInt(stem, 10, 64); isLog && err == nil && len(stem) == 20 {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// scan goes over the log's bytes, first for the first bad entry and then for
// valid ones behind it.
type scan struct {
	file string
	next int64     // the offset that comes next; -1 before the first segment
	bad  *RotError // the first bad entry, not judged yet
	rot  *RotError
}

func (s *scan) segment(base int64, b []byte) {
	at := 0
	if s.next >= 0 && base != s.next {
		s.found(0, fmt.Errorf("%w: the segment begins at offset %d, %d was expected", ErrCorrupt, base, s.next))
	}
	if s.next < 0 {
		s.next = base
	}
	for s.bad == nil && at < len(b) {
		size, err := s.entry(b[at:])
		if err != nil {
			s.found(int64(at), err)
			break
		}
		at += size
		s.next++
	}
	if s.bad != nil && s.rot == nil {
		s.witnesses(b[at:])
	}
}

// entry checks the entry at the front of b.
func (s *scan) entry(b []byte) (size int, err error) {
	batch, _, err := record.Next(b)
	if err != nil {
		return 0, err
	}
	if err := batch.CheckStored(); err != nil {
		return 0, err
	}
	if batch.BaseOffset() != s.next {
		return 0, fmt.Errorf("%w: offset %d, %d was expected", ErrCorrupt, batch.BaseOffset(), s.next)
	}
	_, _, err = entryOf(batch)
	return len(batch), err
}

func (s *scan) found(position int64, reason error) {
	if s.bad == nil {
		s.bad = &RotError{File: s.file, Position: position, Index: uint64(s.next), Reason: reason}
	}
}

// witnesses looks for valid entries behind a bad one, at every byte since the
// bad one's length may be what is bad, and asks them what was durable.
func (s *scan) witnesses(b []byte) {
	for ; len(b) >= record.HeaderSize; b = b[1:] {
		// Cheap checks first: the magic byte, and an offset not far behind the
		// bad entry's.
		behind := binary.BigEndian.Uint64(b) - s.bad.Index
		if record.Batch(b).Magic() != 2 || behind == 0 || behind > 1<<31 {
			continue
		}
		batch, _, err := record.Next(b)
		if err != nil || batch.CheckStored() != nil {
			continue
		}
		if e, f, err := entryOf(batch); err == nil && f.durable > int64(s.bad.Index) {
			s.rot = s.bad
			s.rot.Witness = e.GetIndex()
			return
		}
	}
}
