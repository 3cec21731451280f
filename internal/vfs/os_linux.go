package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxVec is the most buffers that one pwritev takes (IOV_MAX).
const maxVec = 1024

// osFile adds to os.File the calls that it does not have. They go through
// RawConn, which keeps the descriptor alive during the call: a plain Fd could
// be closed and reused by another file between reading and using it.
type osFile struct {
	*os.File
	raw syscall.RawConn
}

func newOSFile(f *os.File) (File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &osFile{File: f, raw: raw}, nil
}

func (f *osFile) descriptor() (*os.File, bool) { return f.File, true }

func (f *osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync is fdatasync: contents and size, but not times, which nothing here
// reads and which would cost a journal commit.
func (f *osFile) Sync() error {
	var synced error
	err := f.raw.Control(func(fd uintptr) {
		for {
			if synced = unix.Fdatasync(int(fd)); !errors.Is(synced, unix.EINTR) {
				return
			}
		}
	})
	return f.fail("fdatasync", errors.Join(err, synced))
}

func (f *osFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	op, _ := vecOps.Get().(*vecOp)
	if op == nil {
		op = &vecOp{}
		op.call = op.write
	}
	op.rest, op.off = append(op.rest[:0], bufs...), off
	err := f.raw.Control(op.call)
	n := op.off - off
	err = errors.Join(err, op.err)
	clear(op.rest[:cap(op.rest)])
	op.err = nil
	vecOps.Put(op)
	return n, f.fail("pwritev", err)
}

func (f *osFile) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.Name(), Err: err}
}

// vecOps keeps the state of vectored writes: a closure handed to RawConn
// escapes, and one allocation per append would be one too many.
var vecOps sync.Pool

// vecOp is one WriteVec under way.
type vecOp struct {
	rest [][]byte // what is still to write; its elements are consumed
	off  int64    // where rest goes
	err  error
	call func(fd uintptr) // write, bound once
}

func (op *vecOp) write(fd uintptr) {
	for rest := op.rest; len(rest) > 0; {
		n, err := unix.Pwritev(int(fd), rest[:min(len(rest), maxVec)], op.off)
		if n > 0 {
			op.off += int64(n)
			rest = consume(rest, n)
			continue
		}
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			op.err = err
			return
		default: // Nothing written: only empty buffers are left, or the disk gave up without a word.
			if rest = consume(rest, 0); len(rest) > 0 {
				op.err = io.ErrShortWrite
				return
			}
		}
	}
}

// consume drops the first n bytes of the buffers, and empty ones after them.
func consume(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}

// SyncAll makes everything durable that was written to the filesystem that
// holds dir, by syncfs. It costs what everybody wrote to that filesystem, so
// ask OwnFilesystem first. Writeback errors are reported from Linux 5.8 on.
func (OS) SyncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // Opened for its descriptor only.
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var synced error
	if err := raw.Control(func(fd uintptr) { synced = unix.Syncfs(int(fd)) }); err != nil {
		return err
	}
	if synced != nil {
		return &fs.PathError{Op: "syncfs", Path: dir, Err: synced}
	}
	return nil
}

// OwnFilesystem reports whether nobody else's data lives on the filesystem of
// dir: it is where that is mounted, or the one thing there but lost+found, as a
// directory on a volume of its own is.
func (OS) OwnFilesystem(dir string) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return false
	}
	return ownFilesystem(abs, device, names)
}

func ownFilesystem(dir string, device func(path string) uint64, names func(dir string) []string) bool {
	for above := filepath.Dir(dir); above != dir; dir, above = above, filepath.Dir(above) {
		if device(dir) != device(above) {
			return true
		}
		for _, name := range names(above) {
			if name != filepath.Base(dir) && name != "lost+found" {
				return false
			}
		}
	}
	return false
}

// device is the number of the filesystem of a path, 0 if it is not known.
func device(path string) uint64 {
	var stat unix.Stat_t
	if unix.Stat(path, &stat) != nil {
		return 0
	}
	return stat.Dev
}

// names are what a directory holds. One that cannot be read may hold anything.
func names(dir string) []string {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return []string{"?"}
	}
	defer d.Close() //nolint:errcheck // Opened to be read only.
	// Itself, lost+found, and one that is too many.
	list, err := d.Readdirnames(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return []string{"?"}
	}
	return list
}
