package vfs

import (
	"io/fs"
	"sync"
	"time"
)

// node is a file or a directory of a Mem, like an inode: names point to it.
type node struct {
	dir bool

	// Of a directory, guarded by the Mem's mutex: what a running process sees
	// and what the disk holds.
	entries, durable map[string]*node

	// Of a file.
	mu   sync.RWMutex
	data blocks
	// ops are the changes since the last sync that succeeded, oldest first.
	// data is the durable image with all of them applied.
	ops []fileOp
	// stuck is set once a sync of this file has failed.
	stuck bool
}

// fileOp is one unsynced change of a file, kept so that it can be undone.
type fileOp struct {
	state opState
	// truncate tells a truncation to end from a write of [off, end).
	truncate bool
	off, end int64
	// size is the file's size before, and old what was overwritten or cut.
	// An append overwrites nothing, so it costs no copy.
	size int64
	old  []byte
	// next is what a write wrote; it is read back from the file at a crash.
	next []byte
}

type opState uint8

const (
	opPending opState = iota
	// opSynced is a change that a sync made durable after an earlier one of
	// the same file was lost.
	opSynced
	// opLost is a change that a failed sync reported and dropped: the page is
	// marked clean, as Linux does, so no later sync writes it.
	opLost
)

// mergeAfter is how many unsynced changes are kept apart. Beyond it an append
// joins the one before, or a file that is never synced would grow a list
// without bound.
const mergeAfter = 256

func newDir() *node {
	return &node{dir: true, entries: map[string]*node{}, durable: map[string]*node{}}
}

func (n *node) write(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	end := off + int64(len(p))
	if last := len(n.ops) - 1; last >= mergeAfter && n.ops[last].joins(off, n.data.size) {
		n.ops[last].end = end
	} else {
		n.ops = append(n.ops, fileOp{off: off, end: end, size: n.data.size, old: n.data.slice(off, end)})
	}
	n.data.writeAt(p, off)
}

// joins reports whether an append at off can be told as one with op.
func (op *fileOp) joins(off, size int64) bool {
	return op.state == opPending && !op.truncate && op.end == off && off == size
}

func (n *node) truncateTo(size int64) {
	n.ops = append(n.ops, fileOp{truncate: true, end: size, size: n.data.size, old: n.data.slice(size, n.data.size)})
	n.data.truncate(size)
}

// sync makes every pending change durable.
func (n *node) sync() {
	if !n.stuck {
		n.ops = nil
		return
	}
	for i := range n.ops {
		if n.ops[i].state == opPending {
			n.ops[i].state = opSynced
		}
	}
}

// failSync marks every pending change as lost: it can be read, but no later
// sync makes it durable.
func (n *node) failSync() {
	for i := range n.ops {
		if n.ops[i].state == opPending {
			n.ops[i].state = opLost
			n.stuck = true
		}
	}
}

// nodeInfo implements fs.FileInfo and fs.DirEntry.
type nodeInfo struct {
	name string
	dir  bool
	size int64
}

func (n *node) info(name string) nodeInfo {
	if n.dir {
		return nodeInfo{name: name, dir: true}
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return nodeInfo{name: name, size: n.data.size}
}

func (i nodeInfo) Name() string               { return i.name }
func (i nodeInfo) Size() int64                { return i.size }
func (i nodeInfo) IsDir() bool                { return i.dir }
func (i nodeInfo) Sys() any                   { return nil }
func (i nodeInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i nodeInfo) Type() fs.FileMode          { return i.Mode().Type() }

// ModTime is always zero: a simulated disk has no clock.
func (i nodeInfo) ModTime() time.Time { return time.Time{} }

func (i nodeInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
