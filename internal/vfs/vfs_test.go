package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// everyFS runs a test on the disk, in memory and through an idle Fault: they
// must not differ.
func everyFS(t *testing.T, test func(t *testing.T, fsys FS, dir string)) {
	t.Run("OS", func(t *testing.T) { test(t, OS{}, t.TempDir()) })
	t.Run("Mem", func(t *testing.T) { test(t, NewMem(), "/") })
	t.Run("Fault", func(t *testing.T) { test(t, NewFault(NewMem()), "/") })
}

func create(t testing.TB, fsys FS, name string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func contents(t testing.TB, fsys FS, name string) string {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileReadsWhatWasWritten(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "log"))
		n, err := f.WriteVec([][]byte{[]byte("one "), nil, []byte("two "), []byte("three")}, 0)
		must(t, err)
		if n != 13 {
			t.Fatalf("WriteVec wrote %d bytes, want 13", n)
		}
		if _, err := f.WriteAt([]byte("TWO"), 4); err != nil {
			t.Fatal(err)
		}
		must(t, f.Sync())
		if got := contents(t, fsys, f.Name()); got != "one TWO three" {
			t.Errorf("contents %q", got)
		}
		b := make([]byte, 10)
		if n, err := f.ReadAt(b, 8); n != 5 || !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt beyond the end: %d, %v; want 5, EOF", n, err)
		}
		must(t, f.Truncate(3))
		must(t, f.Truncate(5))
		if got := contents(t, fsys, f.Name()); got != "one\x00\x00" {
			t.Errorf("after truncations %q", got)
		}
		must(t, f.Close())
		if _, err := f.ReadAt(b, 0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read of a closed file: %v", err)
		}
	})
}

func TestWriteVecOfManyBuffers(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		var bufs [][]byte
		var want bytes.Buffer
		for i := range 3000 { // More than one pwritev takes.
			b := bytes.Repeat([]byte{byte(i)}, i%70)
			bufs = append(bufs, b)
			want.Write(b)
		}
		f := create(t, fsys, filepath.Join(dir, "log"))
		n, err := f.WriteVec(bufs, 0)
		if err != nil || n != int64(want.Len()) {
			t.Fatalf("WriteVec: %d, %v; want %d", n, err, want.Len())
		}
		if got := contents(t, fsys, f.Name()); got != want.String() {
			t.Error("contents differ")
		}
		if len(bufs[2999]) != 2999%70 {
			t.Error("WriteVec changed the caller's buffers")
		}
		must(t, f.Close())
	})
}

func TestTree(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		must(t, fsys.MkdirAll(at("a/b"), 0o755))
		must(t, create(t, fsys, at("a/b/2")).Close())
		must(t, create(t, fsys, at("a/b/1")).Close())
		must(t, fsys.Rename(at("a/b/2"), at("a/b/3")))
		must(t, fsys.SyncDir(at("a/b")))
		entries, err := fsys.ReadDir(at("a/b"))
		must(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if !slices.Equal(names, []string{"1", "3"}) {
			t.Errorf("ReadDir %q", names)
		}
		if _, err := fsys.Stat(at("a/b/2")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat of a renamed file: %v", err)
		}
		if _, err := fsys.OpenFile(at("none/x"), os.O_CREATE|os.O_RDWR, 0o644); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("create without its directory: %v", err)
		}
		if _, err := fsys.OpenFile(at("a/b/1"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644); !errors.Is(err, fs.ErrExist) {
			t.Errorf("exclusive create: %v", err)
		}
		if err := fsys.Remove(at("a")); err == nil {
			t.Error("removed a directory that is not empty")
		}
		must(t, fsys.RemoveAll(at("a")))
		must(t, fsys.RemoveAll(at("a")))
		if _, err := fsys.Stat(at("a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat after RemoveAll: %v", err)
		}
	})
}

func TestLockIsExclusive(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, ".lock")
		first, err := fsys.Lock(name)
		must(t, err)
		if _, err := fsys.Lock(name); !errors.Is(err, ErrLocked) {
			t.Errorf("second lock: %v, want ErrLocked", err)
		}
		must(t, first.Close())
		again, err := fsys.Lock(name)
		must(t, err)
		must(t, again.Close())
	})
}

func TestDescriptorOnlyOnDisk(t *testing.T) {
	f := create(t, OS{}, filepath.Join(t.TempDir(), "f"))
	defer f.Close()
	if _, ok := Descriptor(f); !ok {
		t.Error("a file on disk has no descriptor")
	}
	if _, ok := Descriptor(create(t, NewMem(), "f")); ok {
		t.Error("a file in memory has a descriptor")
	}
	onDisk := create(t, NewFault(OS{}), filepath.Join(t.TempDir(), "f"))
	defer onDisk.Close()
	if _, ok := Descriptor(onDisk); ok {
		t.Error("sendfile would pass by the faults")
	}
}
