package vfs

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Mem is a filesystem in memory that knows what was synced. It is the disk of
// a broker in memory as well as of the simulation: an append costs no copy of
// what lies before it, and remembering what is unsynced costs a few words.
//
// Paths are cleaned; "/a/b" and "a/b" are the same file. Modification times
// are zero.
type Mem struct {
	crashed atomic.Bool

	// mu guards the tree: entries, durable names, dirOps and locks. The
	// contents of a file are guarded by its node.
	mu     sync.RWMutex
	root   *node
	dirOps []dirOp
	locks  map[string]bool
}

// dirOp is one unsynced change of names: one for a creation or removal, two
// for a rename, which is durable as a whole or not at all.
type dirOp []nameChange

type nameChange struct {
	dir  *node
	name string
	node *node // nil where the name is removed
}

var _ FS = (*Mem)(nil)

// NewMem returns an empty filesystem.
func NewMem() *Mem {
	return &Mem{root: newDir(), locks: map[string]bool{}}
}

// OpenFile implements [FS].
func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	if err := m.alive("open", name); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathErr("open", name, fs.ErrNotExist)
	case n == nil:
		n = &node{}
		m.change(nameChange{dir, base, n})
	case n.dir:
		return nil, pathErr("open", name, syscall.EISDIR)
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathErr("open", name, fs.ErrExist)
	}
	if flag&os.O_TRUNC != 0 {
		n.mu.Lock()
		n.truncateTo(0)
		n.mu.Unlock()
	}
	return &memFile{fs: m, node: n, name: name, readOnly: flag&(os.O_RDWR|os.O_WRONLY) == 0}, nil
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	if err := m.alive("remove", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	switch {
	case n == nil:
		return pathErr("remove", name, fs.ErrNotExist)
	case n.dir && len(n.entries) > 0:
		return pathErr("remove", name, syscall.ENOTEMPTY)
	}
	m.change(nameChange{dir, base, nil})
	return nil
}

// RemoveAll implements [FS].
func (m *Mem) RemoveAll(name string) error {
	if err := m.alive("remove", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return nil //nolint:nilerr // As in package os: what is not there needs no removal.
	}
	m.removeTree(dir, base)
	return nil
}

func (m *Mem) removeTree(dir *node, base string) {
	n := dir.entries[base]
	if n == nil {
		return
	}
	for _, child := range slices.Sorted(maps.Keys(n.entries)) {
		m.removeTree(n, child)
	}
	m.change(nameChange{dir, base, nil})
}

// Rename implements [FS].
func (m *Mem) Rename(from, to string) error {
	if err := m.alive("rename", from); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fromDir, fromBase, err := m.parent("rename", from)
	if err != nil {
		return err
	}
	toDir, toBase, err := m.parent("rename", to)
	if err != nil {
		return err
	}
	n, target := fromDir.entries[fromBase], toDir.entries[toBase]
	switch {
	case n == nil:
		return pathErr("rename", from, fs.ErrNotExist)
	case n == target:
		return nil
	case target != nil && target.dir && (!n.dir || len(target.entries) > 0):
		return pathErr("rename", to, fs.ErrExist)
	case target != nil && !target.dir && n.dir:
		return pathErr("rename", to, syscall.ENOTDIR)
	}
	m.change(nameChange{toDir, toBase, n}, nameChange{fromDir, fromBase, nil})
	return nil
}

// MkdirAll implements [FS].
func (m *Mem) MkdirAll(name string, _ fs.FileMode) error {
	if err := m.alive("mkdir", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.root
	for _, part := range parts(name) {
		next := at.entries[part]
		switch {
		case next == nil:
			next = newDir()
			m.change(nameChange{at, part, next})
		case !next.dir:
			return pathErr("mkdir", name, syscall.ENOTDIR)
		}
		at = next
	}
	return nil
}

// ReadDir implements [FS]. Entries come sorted by name.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := m.alive("readdir", name); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, pathErr("readdir", name, syscall.ENOTDIR)
	}
	list := make([]fs.DirEntry, 0, len(n.entries))
	for _, child := range slices.Sorted(maps.Keys(n.entries)) {
		list = append(list, n.entries[child].info(child))
	}
	return list, nil
}

// Stat implements [FS].
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	if err := m.alive("stat", name); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, err := m.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(path.Base(name)), nil
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(name string) error {
	if err := m.alive("syncdir", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find("syncdir", name)
	if err != nil {
		return err
	}
	m.dirOps = slices.DeleteFunc(m.dirOps, func(op dirOp) bool {
		touches := slices.ContainsFunc(op, func(c nameChange) bool { return c.dir == n })
		if touches {
			op.persist()
		}
		return touches
	})
	return nil
}

// Lock implements [FS]. The lock is the Mem's: there is only one process.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	key := strings.Join(parts(name), "/")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[key] {
		return nil, pathErr("lock", name, ErrLocked)
	}
	m.locks[key] = true
	return &memLock{m, key, f}, nil
}

type memLock struct {
	fs  *Mem
	key string
	f   File
}

func (l *memLock) Close() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.key)
	return nil
}

// change carries out a change of names and remembers it as unsynced.
func (m *Mem) change(changes ...nameChange) {
	for _, c := range changes {
		set(c.dir.entries, c.name, c.node)
	}
	m.dirOps = append(m.dirOps, changes)
}

// persist makes the change part of what the disk holds.
func (op dirOp) persist() {
	for _, c := range op {
		set(c.dir.durable, c.name, c.node)
	}
}

func set(entries map[string]*node, name string, n *node) {
	if n == nil {
		delete(entries, name)
		return
	}
	entries[name] = n
}

func (m *Mem) alive(op, name string) error {
	if m.crashed.Load() {
		return pathErr(op, name, ErrCrashed)
	}
	return nil
}

// find walks to the node of a path.
func (m *Mem) find(op, name string) (*node, error) {
	at := m.root
	for _, part := range parts(name) {
		if !at.dir {
			return nil, pathErr(op, name, syscall.ENOTDIR)
		}
		if at = at.entries[part]; at == nil {
			return nil, pathErr(op, name, fs.ErrNotExist)
		}
	}
	return at, nil
}

// parent walks to the directory that holds the last part of a path.
func (m *Mem) parent(op, name string) (dir *node, base string, err error) {
	all := parts(name)
	if len(all) == 0 {
		return nil, "", pathErr(op, name, fs.ErrInvalid)
	}
	dir, err = m.find(op, path.Join(all[:len(all)-1]...))
	if err != nil {
		return nil, "", pathErr(op, name, fs.ErrNotExist)
	}
	if !dir.dir {
		return nil, "", pathErr(op, name, syscall.ENOTDIR)
	}
	return dir, all[len(all)-1], nil
}

func parts(name string) []string {
	clean := strings.Trim(path.Clean("/"+name), "/")
	if clean == "" {
		return nil
	}
	return strings.Split(clean, "/")
}

func pathErr(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
