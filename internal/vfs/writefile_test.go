package vfs

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

// Whatever the crash, a file written by WriteFile holds the old contents or
// the new ones; once it has returned, the new ones.
func TestWriteFileIsWhole(t *testing.T) {
	for seed := range uint64(300) {
		m := NewMem()
		must(t, WriteFile(m, "f", []byte("old")))
		fault := NewFault(m)
		fault.Add(Rule{Op: OpSyncDir})
		if err := WriteFile(fault, "f", []byte("new")); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		after := m.Crash(rng(seed))
		if got := contents(t, after, "f"); got != "old" && got != "new" {
			t.Fatalf("seed %d: %q", seed, got)
		}
		must(t, WriteFile(after, "f", []byte("newer")))
		if got := contents(t, after.Crash(rng(seed)), "f"); got != "newer" {
			t.Fatalf("seed %d, after the return: %q", seed, got)
		}
	}
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	fault := NewFault(NewMem())
	fault.LimitSpace(2)
	if err := WriteFile(fault, "f", []byte("123")); !IsNoSpace(err) {
		t.Fatalf("a full disk: %v", err)
	}
	if _, err := fault.Stat("f" + TemporarySuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary file: %v", err)
	}
}

func TestMkdirDurable(t *testing.T) {
	m := NewMem()
	must(t, MkdirDurable(m, "/a/b/c"))
	must(t, MkdirDurable(m, "/a/b/c"))
	if after := m.Crash(nil); !exists(after, "/a/b/c") {
		t.Error("the directory is gone")
	}
}
