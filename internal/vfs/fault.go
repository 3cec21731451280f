package vfs

import (
	"io"
	"io/fs"
	"path"
	"sync"
	"syscall"
)

// Op is a kind of operation that a [Rule] can fail.
type Op uint8

// The operations.
const (
	OpOpen Op = iota + 1
	OpRead
	OpWrite // WriteAt and WriteVec
	OpSync
	OpTruncate
	OpRemove // Remove and RemoveAll
	OpRename
	OpMkdir
	OpReadDir
	OpSyncDir
)

// Rule fails an operation.
type Rule struct {
	Op Op
	// Match is a pattern (path.Match) that the last part of the path must
	// match; the empty one matches all. A rename is told by its target.
	Match string
	// At counts matching operations from the moment the rule is added: the
	// At-th fails, once. 0 fails each of them.
	At int
	// Err is what the operation returns; EIO when nil.
	Err error
	// Short is how many bytes a failing write writes before it ends.
	Short int64
}

// Fault wraps a filesystem and fails operations by rule. A sync that fails
// leaves its file as Linux does: what was unsynced counts as clean and never
// becomes durable, whatever later syncs report (on Mem; a real disk does so
// by itself).
type Fault struct {
	FS

	mu    sync.Mutex
	rules []*activeRule
	space int64 // bytes that can still be written; below zero: no limit
}

type activeRule struct {
	Rule
	seen int
}

var _ FS = (*Fault)(nil)

// NewFault returns base without any fault yet.
func NewFault(base FS) *Fault { return &Fault{FS: base, space: -1} }

// Add adds a rule. The first rule that matches decides.
func (f *Fault) Add(r Rule) {
	if r.Err == nil {
		r.Err = syscall.EIO
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &activeRule{Rule: r})
}

// LimitSpace lets n more bytes be written; the write that would exceed them
// writes what fits and fails with ENOSPC. A negative n ends the limit. Space
// is counted by bytes written, not by the growth of files.
func (f *Fault) LimitSpace(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space = n
}

// Clear heals the disk: no rules and no limit.
func (f *Fault) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.space = nil, -1
}

// hit returns the error of the rule that fails this operation.
func (f *Fault) hit(op Op, name string) (short int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if !r.matches(op, name) {
			continue
		}
		r.seen++
		if r.At == 0 || r.seen == r.At {
			return r.Short, r.Err
		}
	}
	return 0, nil
}

func (r *activeRule) matches(op Op, name string) bool {
	if r.Op != op {
		return false
	}
	if r.Match == "" {
		return true
	}
	ok, err := path.Match(r.Match, path.Base(name))
	return err == nil && ok
}

func (f *Fault) fail(op Op, verb, name string) error {
	if _, err := f.hit(op, name); err != nil {
		return pathErr(verb, name, err)
	}
	return nil
}

// admit answers how many of n bytes a write may write, and the error that it
// then returns.
func (f *Fault) admit(name string, n int64) (int64, error) {
	if short, err := f.hit(OpWrite, name); err != nil {
		return min(short, n), err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.space < 0 {
		return n, nil
	}
	if n > f.space {
		n = f.space
		f.space = 0
		return n, syscall.ENOSPC
	}
	f.space -= n
	return n, nil
}

// OpenFile implements [FS].
func (f *Fault) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if err := f.fail(OpOpen, "open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fault: f}, nil
}

// Remove implements [FS].
func (f *Fault) Remove(name string) error {
	if err := f.fail(OpRemove, "remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// RemoveAll implements [FS].
func (f *Fault) RemoveAll(name string) error {
	if err := f.fail(OpRemove, "remove", name); err != nil {
		return err
	}
	return f.FS.RemoveAll(name)
}

// Rename implements [FS].
func (f *Fault) Rename(from, to string) error {
	if err := f.fail(OpRename, "rename", to); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

// MkdirAll implements [FS].
func (f *Fault) MkdirAll(dir string, perm fs.FileMode) error {
	if err := f.fail(OpMkdir, "mkdir", dir); err != nil {
		return err
	}
	return f.FS.MkdirAll(dir, perm)
}

// ReadDir implements [FS].
func (f *Fault) ReadDir(dir string) ([]fs.DirEntry, error) {
	if err := f.fail(OpReadDir, "readdir", dir); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(dir)
}

// SyncDir implements [FS].
func (f *Fault) SyncDir(dir string) error {
	if err := f.fail(OpSyncDir, "syncdir", dir); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

// faultFile is a file whose operations may fail.
type faultFile struct {
	File
	fault *Fault
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fault.fail(OpRead, "read", f.Name()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	n, failure := f.fault.admit(f.Name(), int64(len(p)))
	written, err := f.File.WriteAt(p[:n], off)
	if err == nil && failure != nil {
		err = pathErr("write", f.Name(), failure)
	}
	return written, err
}

func (f *faultFile) WriteVec(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for _, b := range bufs {
		total += int64(len(b))
	}
	n, failure := f.fault.admit(f.Name(), total)
	if failure == nil {
		return f.File.WriteVec(bufs, off)
	}
	written, err := f.File.WriteVec(firstBytes(bufs, n), off)
	if err == nil {
		err = pathErr("write", f.Name(), failure)
	}
	return written, err
}

// firstBytes returns buffers that hold the first n bytes of bufs.
func firstBytes(bufs [][]byte, n int64) [][]byte {
	var first [][]byte
	for _, b := range bufs {
		b = b[:min(int64(len(b)), n)]
		n -= int64(len(b))
		first = append(first, b)
	}
	return first
}

func (f *faultFile) Sync() error {
	err := f.fault.fail(OpSync, "sync", f.Name())
	if err == nil {
		return f.File.Sync()
	}
	if mem, ok := f.File.(*memFile); ok {
		mem.failSync()
	}
	return err
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fault.fail(OpTruncate, "truncate", f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Lock implements [FS]. Locks do not fail by rule.
func (f *Fault) Lock(name string) (io.Closer, error) { return f.FS.Lock(name) }
