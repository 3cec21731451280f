package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"

	"pgregory.net/rapid"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// exists tells what a crash that drops everything unsynced leaves.
func exists(fsys FS, name string) bool {
	_, err := fsys.Stat(name)
	return err == nil
}

func TestCrashForgetsWhatWasNotSynced(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("p", 0o755))
	must(t, m.SyncDir("/"))
	f := create(t, m, "p/log")
	must(t, m.SyncDir("p"))
	_, err := f.WriteAt([]byte("synced"), 0)
	must(t, err)
	must(t, f.Sync())
	_, err = f.WriteAt([]byte(" and not"), 6)
	must(t, err)
	_, err = f.WriteAt([]byte("S"), 0)
	must(t, err)
	after := m.Crash(nil)
	if got := contents(t, after, "p/log"); got != "synced" {
		t.Errorf("after the crash %q, want %q", got, "synced")
	}
	if _, err := f.WriteAt([]byte("ghost"), 0); !errors.Is(err, ErrCrashed) {
		t.Errorf("write by the dead process: %v", err)
	}
	if err := m.SyncDir("p"); !errors.Is(err, ErrCrashed) {
		t.Errorf("sync by the dead process: %v", err)
	}
}

func TestCrashUndoesTruncation(t *testing.T) {
	m := NewMem()
	f := create(t, m, "log")
	must(t, m.SyncDir("/"))
	_, err := f.WriteAt([]byte("0123456789"), 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Truncate(4))
	_, err = f.WriteAt([]byte("abc"), 4)
	must(t, err)
	if got := contents(t, m.Crash(nil), "log"); got != "0123456789" {
		t.Errorf("after the crash %q", got)
	}
}

func TestCrashLosesUnsyncedNames(t *testing.T) {
	cases := []struct {
		name string
		do   func(m *Mem)
		want map[string]bool
	}{
		{"a synced file whose name was not", func(m *Mem) {
			f, _ := m.OpenFile("d/new", os.O_CREATE|os.O_RDWR, 0)
			_ = f.Sync()
		}, map[string]bool{"d/new": false, "d/old": true}},
		{"a name synced in a directory that was not", func(m *Mem) {
			_ = m.MkdirAll("e", 0)
			_, _ = m.OpenFile("e/new", os.O_CREATE|os.O_RDWR, 0)
			_ = m.SyncDir("e")
		}, map[string]bool{"e": false, "d/old": true}},
		{"a rename", func(m *Mem) { _ = m.Rename("d/old", "d/renamed") },
			map[string]bool{"d/old": true, "d/renamed": false}},
		{"a rename that was synced", func(m *Mem) { _ = m.Rename("d/old", "d/renamed"); _ = m.SyncDir("d") },
			map[string]bool{"d/old": false, "d/renamed": true}},
		{"a rename to another directory, synced there", func(m *Mem) { _ = m.Rename("d/old", "moved"); _ = m.SyncDir("/") },
			map[string]bool{"d/old": false, "moved": true}},
		{"a removal", func(m *Mem) { _ = m.Remove("d/old") }, map[string]bool{"d/old": true}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := NewMem()
			must(t, m.MkdirAll("d", 0o755))
			create(t, m, "d/old")
			must(t, m.SyncDir("/"))
			must(t, m.SyncDir("d"))
			c.do(m)
			after := m.Crash(nil)
			for name, want := range c.want {
				if exists(after, name) != want {
					t.Errorf("%s exists: %v, want %v", name, !want, want)
				}
			}
		})
	}
}

// A rename is atomic: after any crash the file is under its old name or its
// new one.
func TestCrashKeepsRenameWhole(t *testing.T) {
	for seed := range uint64(200) {
		m := NewMem()
		f := create(t, m, "a")
		_, err := f.WriteAt([]byte("x"), 0)
		must(t, err)
		must(t, f.Sync())
		must(t, m.SyncDir("/"))
		must(t, m.Rename("a", "b"))
		after := m.Crash(rng(seed))
		if exists(after, "a") == exists(after, "b") {
			t.Fatalf("seed %d: a exists %v, b exists %v", seed, exists(after, "a"), exists(after, "b"))
		}
	}
}

// Over many seeds a crash must show each thing a disk can do to one write.
func TestCrashShowsEveryOutcome(t *testing.T) {
	old, next := bytes.Repeat([]byte{1}, 2048), bytes.Repeat([]byte{2}, 2048)
	seen := map[string]bool{}
	for seed := range uint64(400) {
		m := NewMem()
		f := create(t, m, "log")
		must(t, m.SyncDir("/"))
		_, err := f.WriteAt(old, 0)
		must(t, err)
		must(t, f.Sync())
		_, err = f.WriteAt(next, 2048)
		must(t, err)
		got := contents(t, m.Crash(rng(seed)), "log")
		if got[:2048] != string(old) {
			t.Fatalf("seed %d: synced bytes changed", seed)
		}
		switch tail := got[2048:]; {
		case tail == "":
			seen["dropped"] = true
		case tail == string(next):
			seen["kept"] = true
		case tail == string(make([]byte, 2048)):
			seen["zeros"] = true
		case len(tail)%sector == 0 && len(tail) < 2048:
			seen["prefix"] = true
		default:
			seen["hole"] = true
		}
	}
	for _, outcome := range []string{"dropped", "kept", "zeros", "prefix", "hole"} {
		if !seen[outcome] {
			t.Errorf("no crash of 400 left the write %s", outcome)
		}
	}
}

// After a failed sync the pages are clean: the next sync succeeds and proves
// nothing about them.
func TestFailedSyncLosesItsWrites(t *testing.T) {
	m := NewMem()
	fault := NewFault(m)
	f := create(t, fault, "log")
	must(t, m.SyncDir("/"))
	_, err := f.WriteAt([]byte("lost"), 0)
	must(t, err)
	fault.Add(Rule{Op: OpSync, At: 1})
	if err := f.Sync(); err == nil {
		t.Fatal("the sync did not fail")
	}
	_, err = f.WriteAt([]byte("kept"), 4)
	must(t, err)
	must(t, f.Sync())
	if got := contents(t, m, "log"); got != "lostkept" {
		t.Errorf("before the crash %q", got)
	}
	if got := contents(t, m.Crash(nil), "log"); got != "\x00\x00\x00\x00kept" {
		t.Errorf("after the crash %q", got)
	}
}

func TestCrashIsDeterministic(t *testing.T) {
	run := func() string {
		m := NewMem()
		r := rng(7)
		for i := range 20 {
			f := create(t, m, string(rune('a'+i)))
			for range 5 {
				b := bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(3000))
				_, err := f.WriteAt(b, int64(r.IntN(4000)))
				must(t, err)
			}
		}
		after := m.Crash(rng(14))
		var all bytes.Buffer
		entries, err := after.ReadDir("/")
		must(t, err)
		for _, e := range entries {
			all.WriteString(e.Name() + contents(t, after, e.Name()))
		}
		return all.String()
	}
	if first, second := run(), run(); first != second {
		t.Error("one seed, two disks")
	}
}

// A file in memory against a plain slice, over random writes, truncations,
// syncs and crashes that drop everything.
func TestMemFileAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := NewMem()
		f := create(t, m, "f")
		must(t, m.SyncDir("/"))
		var now, durable []byte
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				p := rapid.SliceOfN(rapid.Byte(), 0, 1200).Draw(rt, "p")
				off := rapid.IntRange(0, len(now)+600).Draw(rt, "off")
				if rapid.Bool().Draw(rt, "append") {
					off = len(now)
				}
				_, err := f.WriteAt(p, int64(off))
				must(t, err)
				if end := off + len(p); len(p) > 0 && end > len(now) {
					now = append(now, make([]byte, end-len(now))...)
				}
				copy(now[min(off, len(now)):], p)
			},
			"big append": func(*rapid.T) {
				p := bytes.Repeat([]byte("0123456789abcdef"), blockSize/16+3)
				_, err := f.WriteAt(p, int64(len(now)))
				must(t, err)
				now = append(now, p...)
			},
			"truncate": func(rt *rapid.T) {
				size := rapid.IntRange(0, len(now)+100).Draw(rt, "size")
				must(t, f.Truncate(int64(size)))
				now = append(now, make([]byte, max(0, size-len(now)))...)[:size]
			},
			"sync": func(*rapid.T) {
				must(t, f.Sync())
				durable = bytes.Clone(now)
			},
			"crash": func(*rapid.T) {
				m = m.Crash(nil)
				f = create(t, m, "f")
				now = bytes.Clone(durable)
			},
			"": func(rt *rapid.T) {
				if got := contents(t, m, "f"); got != string(now) {
					rt.Fatalf("contents differ: %d bytes, want %d", len(got), len(now))
				}
			},
		})
	})
}

func TestFaultRules(t *testing.T) {
	fault := NewFault(NewMem())
	f := create(t, fault, "00.log")
	other := create(t, fault, "00.index")
	fault.Add(Rule{Op: OpWrite, Match: "*.log", At: 2, Short: 3, Err: fs.ErrPermission})
	if _, err := other.WriteAt([]byte("x"), 0); err != nil {
		t.Fatalf("another file: %v", err)
	}
	if _, err := f.WriteAt([]byte("first"), 0); err != nil {
		t.Fatalf("first write: %v", err)
	}
	n, err := f.WriteVec([][]byte{[]byte("se"), []byte("cond")}, 5)
	if n != 3 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("second write: %d, %v; want 3 bytes and the error", n, err)
	}
	if got := contents(t, fault, "00.log"); got != "firstsec" {
		t.Errorf("contents %q", got)
	}
	if _, err := f.WriteAt([]byte("third"), 0); err != nil {
		t.Errorf("a rule with At fails once: %v", err)
	}
}

func TestFaultNoSpace(t *testing.T) {
	fault := NewFault(NewMem())
	f := create(t, fault, "log")
	fault.LimitSpace(6)
	n, err := f.WriteAt([]byte("12345678"), 0)
	if n != 6 || !IsNoSpace(err) {
		t.Errorf("write: %d, %v; want 6 and ENOSPC", n, err)
	}
	fault.Clear()
	if _, err := f.WriteAt([]byte("12345678"), 0); err != nil {
		t.Errorf("write with space: %v", err)
	}
}
