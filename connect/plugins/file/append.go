package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// appendFile is a file of whole lines with one writer, who holds its lock.
type appendFile struct {
	file    *os.File
	size    int64
	created bool // its directory entry is not durable yet
	failed  error
}

// openAppend opens or creates a file and cuts a last line that never ended.
func openAppend(path string) (*appendFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	a := &appendFile{file: f, created: true}
	if err := a.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return a, nil
}

func (a *appendFile) begin() error {
	if err := unix.Flock(int(a.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errors.New("another connector or process writes this file")
		}
		return err
	}
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a plain file")
	}
	if a.size, err = endOfLines(a.file, info.Size()); err != nil {
		return err
	}
	if a.size < info.Size() {
		return a.file.Truncate(a.size)
	}
	return nil
}

// endOfLines finds the end of the last line that has one.
func endOfLines(f io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 64<<10)
	for size > 0 {
		n := min(size, int64(len(block)))
		if _, err := f.ReadAt(block[:n], size-n); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(block[:n], '\n'); i >= 0 {
			return size - n + int64(i) + 1, nil
		}
		size -= n
	}
	return 0, nil
}

// append writes lines at the end. What a failed write has left is cut, so
// that the next attempt does not follow half a line.
func (a *appendFile) append(lines []byte) error {
	if a.failed != nil {
		return a.failed
	}
	if _, err := a.file.WriteAt(lines, a.size); err != nil {
		return errors.Join(err, a.file.Truncate(a.size))
	}
	a.size += int64(len(lines))
	return nil
}

// sync makes the lines durable. After a failed sync nothing in the file can
// be relied on to reach the disk, so the file stays failed until it is opened
// again.
func (a *appendFile) sync() error {
	if a.failed != nil {
		return a.failed
	}
	if err := a.file.Sync(); err != nil {
		a.failed = fmt.Errorf("sync: %w", err)
		return a.failed
	}
	if a.created {
		if err := syncDir(filepath.Dir(a.file.Name())); err != nil {
			return err
		}
		a.created = false
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (a *appendFile) close() error { return a.file.Close() }
