package vfs

import (
	"io/fs"
	"os"
	"sync"
)

// FileCache bounds how many files are open. A [Handle] names a file and opens
// it when it is used; beyond the limit, files that nobody uses are closed,
// those that were idle longest first (as a clock: one pass of grace).
//
// The limit is soft: files in use stay open.
type FileCache struct {
	fs    FS
	limit int

	// Lock order: a handle's mu, then the cache's mu, then TryLock of another
	// handle's mu.
	mu   sync.Mutex
	open []*Handle
	hand int // where the clock goes on
}

// NewFileCache returns a cache that keeps up to limit files open; 0 means no
// limit.
func NewFileCache(fsys FS, limit int) *FileCache {
	return &FileCache{fs: fsys, limit: limit}
}

// Open returns how many files are open.
func (c *FileCache) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Handle names a file that is there. Nothing is opened yet.
func (c *FileCache) Handle(name string) *Handle { return &Handle{cache: c, name: name} }

// Create makes a file, empty if it was there, and returns its handle.
func (c *FileCache) Create(name string) (*Handle, error) {
	h := c.Handle(name)
	if err := h.openWith(os.O_RDWR | os.O_CREATE | os.O_TRUNC); err != nil {
		return nil, err
	}
	return h, nil
}

// Handle is a file that is opened when it is used.
type Handle struct {
	cache *FileCache
	name  string

	mu     sync.Mutex
	file   File
	refs   int
	used   bool // since the clock last passed
	closed bool
	slot   int // in cache.open, guarded by the cache's mu
}

// Name is the file's path.
func (h *Handle) Name() string { return h.name }

// Acquire opens the file, if need be, and keeps it open until Release.
func (h *Handle) Acquire() (File, error) {
	h.mu.Lock()
	if h.file != nil {
		h.refs++
		h.used = true
		f := h.file
		h.mu.Unlock()
		return f, nil
	}
	h.mu.Unlock()
	if err := h.openWith(os.O_RDWR); err != nil {
		return nil, err
	}
	return h.Acquire()
}

// openWith opens the file unless it is open.
func (h *Handle) openWith(flag int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return &fs.PathError{Op: "open", Path: h.name, Err: fs.ErrClosed}
	}
	if h.file != nil {
		return nil
	}
	f, err := h.cache.fs.OpenFile(h.name, flag, 0o644)
	if err != nil {
		return err
	}
	h.file, h.used = f, true
	for _, idle := range h.cache.admit(h) {
		_ = idle.Close() // Nothing depends on it: what must be durable was synced, or is in use.
	}
	return nil
}

// Release ends one Acquire.
func (h *Handle) Release() {
	h.mu.Lock()
	h.refs--
	f := h.takeIfDone()
	h.mu.Unlock()
	if f != nil {
		_ = f.Close()
	}
}

// Close closes the file as soon as nobody uses it. Later Acquires fail with
// fs.ErrClosed.
func (h *Handle) Close() {
	h.mu.Lock()
	h.closed = true
	f := h.takeIfDone()
	h.mu.Unlock()
	if f != nil {
		_ = f.Close()
	}
}

// takeIfDone takes the file out of a closed handle that nobody uses.
func (h *Handle) takeIfDone() File {
	if !h.closed || h.refs > 0 || h.file == nil {
		return nil
	}
	f := h.file
	h.file = nil
	h.cache.forget(h)
	return f
}

// admit adds an open file and returns the idle ones that make room for it.
func (c *FileCache) admit(h *Handle) (idle []File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.slot = len(c.open)
	c.open = append(c.open, h)
	for steps := 2 * len(c.open); c.limit > 0 && len(c.open) > c.limit && steps > 0; steps-- {
		c.hand %= len(c.open)
		victim := c.open[c.hand]
		if victim == h || !victim.mu.TryLock() {
			c.hand++
			continue
		}
		switch {
		case victim.refs > 0:
			c.hand++
		case victim.used:
			victim.used = false
			c.hand++
		default:
			idle = append(idle, victim.file)
			victim.file = nil
			c.remove(victim)
		}
		victim.mu.Unlock()
	}
	return idle
}

func (c *FileCache) forget(h *Handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(h)
}

// remove takes a handle out; the last one takes its slot.
func (c *FileCache) remove(h *Handle) {
	last := len(c.open) - 1
	c.open[h.slot] = c.open[last]
	c.open[h.slot].slot = h.slot
	c.open[last] = nil
	c.open = c.open[:last]
}
