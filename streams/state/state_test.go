package state

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

func open(t interface{ Fatal(...any) }, dir, boot string) *DB {
	db, err := Open(dir, boot, NewCache())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func storeOf(t interface{ Fatal(...any) }, o *Overlay, name string) *Store {
	s, err := o.Store(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Any sequence of writes, flushes, drops and reopens reads like a map that
// forgets what was dropped.
func TestOverlayAndDatabaseReadAsOneMap(t *testing.T) {
	parent := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		dir := filepath.Join(parent, fmt.Sprint(run))
		db := open(t, dir, "boot")
		defer func() {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		cache := rapid.SampledFrom([]int{0, 500, 1 << 20}).Draw(t, "cache")
		o := NewOverlay(db, cache)
		s, other := storeOf(t, o, "s"), storeOf(t, o, "other")
		other.Put([]byte("k1"), []byte("of another store"), 1)

		committed, latest := map[string]string{}, map[string]string{}
		key := func(t *rapid.T) string { return fmt.Sprintf("k%d", rapid.IntRange(0, 12).Draw(t, "key")) }
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v := key(t), rapid.StringN(0, 5, -1).Draw(t, "value")
				s.Put([]byte(k), []byte(v), 7)
				latest[k] = v
			},
			"delete": func(t *rapid.T) {
				k := key(t)
				s.Delete([]byte(k), 7)
				delete(latest, k)
			},
			"expire": func(t *rapid.T) {
				lo, hi := key(t), key(t)
				if err := s.Expire([]byte(lo), []byte(hi)); err != nil {
					t.Fatal(err)
				}
				for k := range latest {
					if k >= lo && k < hi {
						delete(latest, k)
					}
				}
			},
			"flush": func(t *rapid.T) {
				if err := o.Flush(map[string]Position{"s": {Offset: 5}}); err != nil {
					t.Fatal(err)
				}
				committed = clone(latest)
			},
			"drop": func(*rapid.T) {
				o.Drop()
				latest = clone(committed)
			},
			"reopen": func(t *rapid.T) {
				if rapid.IntRange(0, 7).Draw(t, "rarely") > 0 {
					t.Skip("opening is slow")
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				db = open(t, dir, "boot")
				o = NewOverlay(db, cache)
				s = storeOf(t, o, "s") // before "other": numbers are the database's, not the order's
				latest = clone(committed)
			},
			"": func(t *rapid.T) {
				got, ordered := map[string]string{}, []string{}
				err := s.Scan(nil, nil, func(k, v []byte, _ int64) error {
					got[string(k)] = string(v)
					ordered = append(ordered, string(k))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(latest, got); diff != "" {
					t.Fatalf("scan (-want +got):\n%s", diff)
				}
				if !slices.IsSorted(ordered) {
					t.Fatalf("scan is out of order: %v", ordered)
				}
				for i := range 13 {
					k := fmt.Sprintf("k%d", i)
					v, _, ok, err := s.Get([]byte(k))
					want, has := latest[k]
					if err != nil || ok != has || string(v) != want {
						t.Fatalf("%s is %q, %t (%v), want %q, %t", k, v, ok, err, want, has)
					}
				}
			},
		})
	})
}

func clone(m map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, m)
	return out
}

func TestChangesAreOnePerKeyWithItsLastValueAndTime(t *testing.T) {
	o := NewOverlay(nil, 0)
	s := storeOf(t, o, "s")
	s.Put([]byte("a"), []byte("1"), 10)
	s.Put([]byte("b"), []byte("1"), 11)
	s.Put([]byte("a"), []byte("2"), 12)
	s.Delete([]byte("b"), 13)
	s.Put([]byte("old"), []byte("1"), 1)
	o.Drop()
	s.Put([]byte("a"), []byte("1"), 10)
	s.Put([]byte("b"), []byte("1"), 11)
	s.Put([]byte("a"), []byte("2"), 12)
	s.Delete([]byte("b"), 13)
	s.Put([]byte("c"), []byte{}, 14)
	var got []string
	err := o.Changes(func(c Change) error {
		got = append(got, fmt.Sprintf("%s/%s=%q null:%t @%d", c.Store, c.Key, c.Value, c.Value == nil, c.Timestamp))
		return nil
	})
	want := []string{`s/a="2" null:false @12`, `s/b="" null:true @13`, `s/c="" null:false @14`}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("changes (%v) (-want +got):\n%s", err, diff)
	}
}

func TestExpiryStaysOutOfTheChangelog(t *testing.T) {
	db := open(t, t.TempDir(), "boot")
	defer func() { _ = db.Close() }()
	o := NewOverlay(db, 1<<20)
	s := storeOf(t, o, "s")
	s.Put([]byte("a"), []byte("1"), 10)
	if err := o.Flush(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(nil, []byte("b")); err != nil {
		t.Fatal(err)
	}
	err := o.Changes(func(c Change) error { return fmt.Errorf("%s is there", c.Key) })
	if _, _, ok, _ := s.Get([]byte("a")); ok || err != nil {
		t.Errorf("after expiry: found %t, changelog: %v", ok, err)
	}
}

// fill writes n keys in one commit, and gives the position it has.
func fill(t *testing.T, db *DB, n int) {
	t.Helper()
	o := NewOverlay(db, 1<<20)
	s := storeOf(t, o, "s")
	for i := range n {
		s.Put(fmt.Appendf(nil, "%06d", i), []byte(strings.Repeat("v", 100)), 1)
	}
	if err := o.Flush(map[string]Position{"s": {Offset: int64(n)}}); err != nil {
		t.Fatal(err)
	}
}

func TestOpenTellsHowTheDatabaseWasLeft(t *testing.T) {
	for _, c := range []struct {
		name   string
		leave  func(t *testing.T, db *DB)
		boot   string
		origin Origin
		offset int64 // of the position; 0: there is none
	}{
		{"closed cleanly", func(t *testing.T, db *DB) { must(t, db.Close()) }, "other boot", Continued, 20},
		{"the process died", func(t *testing.T, db *DB) { must(t, db.Abandon()) }, "boot", Continued, 20},
		{"the machine stopped", func(t *testing.T, db *DB) { must(t, db.Abandon()) }, "other boot", Rebuilt, 0},
		{"no boot id", func(t *testing.T, db *DB) { must(t, db.Abandon()) }, "", Rebuilt, 0},
		{"killed within a batch", func(t *testing.T, db *DB) {
			fill(t, db, 1000) // more than one block of 32 KiB
			must(t, db.Abandon())
			tear(t, db.dir)
		}, "boot", Trimmed, 20},
		{"damaged although closed", func(t *testing.T, db *DB) {
			fill(t, db, 1000)
			must(t, db.Close())
			tear(t, db.dir)
		}, "boot", Rebuilt, 0},
		{"manifest gone", func(t *testing.T, db *DB) {
			must(t, db.Close())
			manifests, _ := filepath.Glob(filepath.Join(db.dir, "db", "MANIFEST-*"))
			for _, m := range manifests {
				must(t, os.WriteFile(m, []byte("rubbish that is no manifest at all"), 0o600))
			}
		}, "boot", Rebuilt, 0},
	} {
		t.Run("T7 "+c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "0_0")
			db := open(t, dir, "boot")
			if db.Origin() != Created {
				t.Fatalf("a new database is %v", db.Origin())
			}
			fill(t, db, 20)
			c.leave(t, db)
			db = open(t, dir, c.boot)
			defer func() { must(t, db.Close()) }()
			if db.Origin() != c.origin {
				t.Errorf("found %v (%s), want %v", db.Origin(), db.Why(), c.origin)
			}
			p, ok, err := db.Position("s")
			if err != nil || ok != (c.offset > 0) || p.Offset != c.offset {
				t.Errorf("position %d, %t (%v), want %d", p.Offset, ok, err, c.offset)
			}
			if c.origin == Rebuilt && db.Why() == "" {
				t.Error("rebuilt without a reason")
			}
		})
	}
}

// tear cuts the journal in the middle of its last batch, behind a whole block.
func tear(t *testing.T, dir string) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(dir, "db", "*.log"))
	if err != nil || len(journals) != 1 {
		t.Fatal(journals, err)
	}
	info, err := os.Stat(journals[0])
	must(t, err)
	if info.Size() < 3*32<<10 {
		t.Fatalf("journal of %d bytes has too few blocks", info.Size())
	}
	must(t, os.Truncate(journals[0], 2*32<<10))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOneOwnerPerDatabase(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, "boot")
	defer func() { must(t, db.Close()) }()
	if _, err := Open(dir, "boot", NewCache()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened twice: %v, want an error with the path", err)
	}
}

func TestLoaderFillsAStore(t *testing.T) {
	db := open(t, t.TempDir(), "boot")
	defer func() { must(t, db.Close()) }()
	l, err := db.Loader("s")
	must(t, err)
	l.Put([]byte("a"), []byte("1"), 5)
	l.Put([]byte("b"), []byte("1"), 6)
	l.Put([]byte("b"), nil, 7)
	must(t, l.Flush(Position{TopicID: [16]byte{1}, Offset: 9}))
	s := storeOf(t, NewOverlay(db, 1<<20), "s")
	if v, ts, ok, err := s.Get([]byte("a")); err != nil || !ok || string(v) != "1" || ts != 5 {
		t.Errorf("a: %q at %d, %t, %v", v, ts, ok, err)
	}
	if _, _, ok, _ := s.Get([]byte("b")); ok {
		t.Error("b was deleted and is there")
	}
	if p, ok, err := db.Position("s"); err != nil || !ok || p != (Position{TopicID: [16]byte{1}, Offset: 9}) {
		t.Errorf("position %v, %t, %v", p, ok, err)
	}
	must(t, db.Reset())
	s = storeOf(t, NewOverlay(db, 0), "s")
	if _, _, ok, _ := s.Get([]byte("a")); ok {
		t.Error("a is there after a reset")
	}
}

func TestErrorsOfDamageAreMarked(t *testing.T) {
	s := &Store{name: "s"}
	if _, _, err := s.split([]byte("short")); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v is not %v", err, ErrCorrupt)
	}
}
