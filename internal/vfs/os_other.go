//go:build unix && !linux

package vfs

import (
	"io/fs"
	"os"
)

// osFile does with several calls what Linux does with one.
type osFile struct{ *os.File }

func newOSFile(f *os.File) (File, error) { return &osFile{f}, nil }

func (f *osFile) descriptor() (*os.File, bool) { return f.File, true }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	var written int64
	for _, b := range bufs {
		n, err := f.WriteAt(b, off+written)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// SyncAll is not supported here; callers sync file by file.
func (OS) SyncAll(dir string) error {
	return &fs.PathError{Op: "syncfs", Path: dir, Err: fs.ErrInvalid}
}

// OwnFilesystem reports false: without syncfs the answer has no use.
func (OS) OwnFilesystem(string) bool { return false }
