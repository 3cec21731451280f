package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/millrace-io/millrace/internal/vfs"
)

const quarantineSuffix = ".quarantine"

// validBehind reports whether a valid batch lies anywhere behind a bad place.
func (r *recovering) validBehind(s *segment, later []*segment, bad *CorruptError) (bool, error) {
	from := bad.Position + 1
	if errors.Is(bad.Reason, errGap) || errors.Is(bad.Reason, errBack) || errors.Is(bad.Reason, errEpoch) {
		from = bad.Position // The batch itself is intact, it is only out of place.
	}
	for i, candidate := range append([]*segment{s}, later...) {
		if i > 0 {
			from = 0
		}
		found, err := candidate.hasValid(from, 0)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func (s *segment) hasValid(from, least int64) (bool, error) {
	f, err := s.log.Acquire()
	if err != nil {
		return false, err
	}
	defer s.log.Release()
	in := scan{file: f, end: s.size.Load()}
	return in.findValid(from, max(least, s.base))
}

// quarantine saves what is about to be cut: the rest of one segment as a
// copy, later segments whole by their rename. It is durable when it returns.
func (r *recovering) quarantine(s *segment, later []*segment, bad *CorruptError) error {
	name, err := r.quarantineName(max(bad.Offset, s.base))
	if err != nil {
		return err
	}
	if err := r.copyTail(s, bad.Position, name); err != nil {
		return err
	}
	r.recovery.Quarantined = append(r.recovery.Quarantined, name)
	for _, l := range later {
		name, err := r.quarantineName(l.base)
		if err != nil {
			return err
		}
		if err := r.copyTail(l, 0, name); err != nil {
			return err
		}
		r.recovery.Quarantined = append(r.recovery.Quarantined, name)
	}
	return r.fs.SyncDir(r.dir)
}

// quarantineName finds a free name: an earlier recovery may have cut at the
// same offset.
func (r *recovering) quarantineName(offset int64) (string, error) {
	for n := 0; ; n++ {
		name := segmentName(r.dir, offset)
		if n > 0 {
			name += fmt.Sprintf("-%d", n)
		}
		name += quarantineSuffix
		switch _, err := r.fs.Stat(name); {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil
		case err != nil:
			return "", err
		}
	}
}

// copyTail copies a segment's bytes from a position on to a new file.
func (r *recovering) copyTail(s *segment, position int64, name string) (err error) {
	f, err := s.log.Acquire()
	if err != nil {
		return err
	}
	defer s.log.Release()
	to, err := r.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := copyBytes(f, position, s.size.Load(), to, 0); err != nil {
		return err
	}
	return to.Sync()
}

// copyBytes copies what lies between two positions of a file to a position of
// another, or of the same.
func copyBytes(from vfs.File, position, end int64, to vfs.File, at int64) error {
	buf := make([]byte, min(scanBuffer, max(end-position, 0)))
	for position < end {
		n := int(min(int64(len(buf)), end-position))
		if read, err := from.ReadAt(buf[:n], position); read < n {
			return fmt.Errorf("read %d of %d bytes: %w", read, n, err)
		}
		if _, err := to.WriteAt(buf[:n], at); err != nil {
			return err
		}
		position += int64(n)
		at += int64(n)
	}
	return nil
}
