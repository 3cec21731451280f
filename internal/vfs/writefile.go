package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
)

// TemporarySuffix ends the name of a file that WriteFile has not finished.
const TemporarySuffix = ".tmp"

// WriteFile replaces a file as a whole, durably: a temporary file beside it,
// its sync, the rename, the sync of the directory. After a crash the file
// holds the old contents or the new ones.
func WriteFile(fsys FS, name string, b []byte) error {
	temporary := name + TemporarySuffix
	f, err := fsys.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = fsys.Remove(temporary)
		return err
	}
	if err := fsys.Rename(temporary, name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// ReadFile reads a whole file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // Opened for reading.
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// MkdirDurable makes a directory and everything above it, durably. A
// directory above that may not be read is taken to be there for good.
func MkdirDurable(fsys FS, dir string) error {
	dir = path.Clean(dir)
	made := []string{dir} // Its own name is synced even if it was there: a crash may have come before the sync.
	for up := path.Dir(dir); up != path.Dir(up); up = path.Dir(up) {
		if _, err := fsys.Stat(up); err == nil {
			break
		}
		made = append(made, up)
	}
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range made {
		if err := fsys.SyncDir(path.Dir(name)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}
