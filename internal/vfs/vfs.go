package vfs

import (
	"io"
	"io/fs"
)

// FS is a filesystem. Names are slash-separated paths, absolute or relative
// as the caller likes. Errors wrap [fs.PathError] and satisfy errors.Is with
// fs.ErrNotExist and fs.ErrExist as the os package's do.
type FS interface {
	// OpenFile opens a file with the flags of package os (O_RDWR, O_CREATE,
	// O_EXCL, O_TRUNC; O_APPEND is not supported).
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Remove(name string) error
	RemoveAll(name string) error
	// Rename replaces the target. It is durable once SyncDir of the target's
	// directory has returned.
	Rename(from, to string) error
	MkdirAll(dir string, perm fs.FileMode) error
	ReadDir(dir string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the entries of a directory durable: files and directories
	// created, renamed or removed in it.
	SyncDir(dir string) error
	// Lock takes an exclusive lock that ends with Close or with the process.
	// It fails at once with ErrLocked where another holds it.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Reads and writes carry their position, so one File
// serves any number of goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// WriteVec writes the buffers one after the other at off, in one system
	// call where there is one (pwritev). It returns the bytes written; fewer
	// than asked for come with an error.
	WriteVec(bufs [][]byte, off int64) (int64, error)
	// Sync makes contents and size durable (fdatasync). After an error the
	// kernel may have dropped the pages: a second Sync that succeeds proves
	// nothing.
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
	Name() string
}
