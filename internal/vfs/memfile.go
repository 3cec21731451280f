package vfs

import (
	"io"
	"io/fs"
	"sync/atomic"
)

// memFile is one open handle of a file in memory.
type memFile struct {
	fs       *Mem
	node     *node
	name     string
	readOnly bool
	closed   atomic.Bool
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return pathErr("close", f.name, fs.ErrClosed)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.usable("read"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathErr("read", f.name, fs.ErrInvalid)
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	n := f.node.data.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.writable("write", off); err != nil {
		return 0, err
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.node.write(p, off)
	return len(p), nil
}

func (f *memFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	if err := f.writable("write", off); err != nil {
		return 0, err
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	at := off
	for _, b := range bufs {
		f.node.write(b, at)
		at += int64(len(b))
	}
	return at - off, nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.writable("truncate", size); err != nil {
		return err
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.node.truncateTo(size)
	return nil
}

func (f *memFile) Sync() error {
	if err := f.usable("sync"); err != nil {
		return err
	}
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.node.sync()
	return nil
}

// failSync is what a sync that fails leaves behind; [Fault] calls it.
func (f *memFile) failSync() {
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	f.node.failSync()
}

func (f *memFile) Size() (int64, error) {
	if err := f.usable("stat"); err != nil {
		return 0, err
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return f.node.data.size, nil
}

func (f *memFile) usable(op string) error {
	if f.closed.Load() {
		return pathErr(op, f.name, fs.ErrClosed)
	}
	return f.fs.alive(op, f.name)
}

func (f *memFile) writable(op string, off int64) error {
	if err := f.usable(op); err != nil {
		return err
	}
	if f.readOnly {
		return pathErr(op, f.name, fs.ErrPermission)
	}
	if off < 0 {
		return pathErr(op, f.name, fs.ErrInvalid)
	}
	return nil
}
