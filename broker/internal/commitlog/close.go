package commitlog

import (
	"errors"
	"path"
)

// Checkpoint makes durable what recovery from the returned offset relies on,
// beside the log itself: the leader epochs, and the indexes of the segments
// below. The offset may then be stored as the recovery point. It is for the
// one who writes the checkpoints, off the path of acks: it syncs.
func (l *Log) Checkpoint() (recoveryPoint int64, err error) {
	if err := l.usable(); err != nil {
		return 0, err
	}
	recoveryPoint = l.Flushed()
	segments := *l.segments.Load()
	for _, s := range segments[:len(segments)-1] {
		if s.base >= recoveryPoint {
			break
		}
		if err := s.syncIndexOnce(); err != nil {
			return 0, err
		}
	}
	if err := l.epochs.save(l.fs, l.dir); err != nil {
		return 0, err
	}
	return recoveryPoint, nil
}

// Close stops the log in order: everything is flushed and checkpointed. Once
// all logs of a data directory are closed without an error it may be marked
// as clean. Ranges that were read stay valid until their Release.
func (l *Log) Close() error {
	l.structure.Lock()
	defer l.structure.Unlock()
	err := l.usable()
	if err == nil {
		err = l.closeInOrder()
	}
	l.shut()
	return err
}

func (l *Log) closeInOrder() error {
	if err := l.Flush(); err != nil {
		return err
	}
	l.mu.Lock()
	err := l.active().writeIndex()
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for _, s := range *l.segments.Load() {
		if err := s.syncIndexOnce(); err != nil {
			return err
		}
	}
	if err := l.epochs.save(l.fs, l.dir); err != nil {
		return err
	}
	return l.fs.SyncDir(l.dir)
}

// shut ends the log as it is.
func (l *Log) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := ErrClosed
	l.offline.CompareAndSwap(nil, &err)
	for _, s := range *l.segments.Load() {
		l.unsynced.forget(s)
		s.close()
	}
}

// deletedDirSuffix ends the name of a log's directory that is being removed.
const deletedDirSuffix = "-delete"

// maxName is the longest name that filesystems take.
const maxName = 255

// Delete closes the log and removes it. The rename comes first: after a crash
// the directory is whole and has its name, or it is to be removed by
// [IsDeleted].
func (l *Log) Delete() error {
	l.structure.Lock()
	defer l.structure.Unlock()
	l.shut()
	name := path.Base(l.dir)
	gone := path.Join(path.Dir(l.dir), name[:min(len(name), maxName-len(deletedDirSuffix))]+deletedDirSuffix)
	if err := l.fs.RemoveAll(gone); err != nil {
		return err
	}
	if err := l.fs.Rename(l.dir, gone); err != nil {
		return err
	}
	return errors.Join(l.fs.SyncDir(path.Dir(l.dir)), l.fs.RemoveAll(gone))
}

// IsDeleted reports whether a directory is what an interrupted Delete left.
func IsDeleted(name string) bool {
	return len(name) > len(deletedDirSuffix) && name[len(name)-len(deletedDirSuffix):] == deletedDirSuffix
}
