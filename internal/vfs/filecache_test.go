package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
)

func TestD21_FileCacheBoundsOpenFiles(t *testing.T) {
	m := NewMem()
	c := NewFileCache(m, 4)
	var handles []*Handle
	for i := range 20 {
		h, err := c.Create(fmt.Sprintf("f%d", i))
		must(t, err)
		f, err := h.Acquire()
		must(t, err)
		_, err = f.WriteAt([]byte{byte(i)}, 0)
		must(t, err)
		h.Release()
		handles = append(handles, h)
		if c.Open() > 4 {
			t.Fatalf("%d files are open, the limit is 4", c.Open())
		}
	}
	for i, h := range handles {
		f, err := h.Acquire()
		must(t, err)
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, 0); err != nil || b[0] != byte(i) {
			t.Errorf("file %d reads %d, %v", i, b[0], err)
		}
		h.Release()
	}
}

// A file in use must stay open: a reader would else read another file's
// descriptor.
func TestFileCacheKeepsWhatIsInUse(t *testing.T) {
	c := NewFileCache(NewMem(), 2)
	pinned, err := c.Create("pinned")
	must(t, err)
	f, err := pinned.Acquire()
	must(t, err)
	for i := range 10 {
		_, err := c.Create(fmt.Sprintf("f%d", i))
		must(t, err)
	}
	if _, err := f.Size(); err != nil {
		t.Errorf("a file in use: %v", err)
	}
	pinned.Close()
	if _, err := f.Size(); err != nil {
		t.Errorf("a file in use after its handle's Close: %v", err)
	}
	pinned.Release()
	if _, err := f.Size(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a file after the last Release: %v, want ErrClosed", err)
	}
	if _, err := pinned.Acquire(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Acquire after Close: %v, want ErrClosed", err)
	}
}

func TestFileCacheConcurrently(t *testing.T) {
	c := NewFileCache(NewMem(), 3)
	var handles []*Handle
	for i := range 8 {
		h, err := c.Create(fmt.Sprintf("f%d", i))
		must(t, err)
		handles = append(handles, h)
	}
	var users sync.WaitGroup
	for i := range 8 {
		users.Go(func() {
			for k := range 500 {
				h := handles[(i+k)%len(handles)]
				f, err := h.Acquire()
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := f.Size(); err != nil {
					t.Error(err)
				}
				h.Release()
			}
		})
	}
	users.Wait()
}
