package quorum

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/vfs"
)

const testDir = "data/__cluster_metadata-0"

var epoch = time.Unix(1_700_000_000, 0)

func config(f vfs.FS) Config { return Config{FS: f, Dir: testDir, ID: 7} }

// start opens a node and steps it until it is the active controller.
func start(t testing.TB, cfg Config) *Node {
	t.Helper()
	n, err := Open(cfg, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Campaign(); err != nil {
		t.Fatal(err)
	}
	steps(t, n)
	if !n.Active() {
		t.Fatal("a sole voter is not the active controller after its election")
	}
	return n
}

// steps steps a node until it has nothing left to do.
func steps(t testing.TB, n *Node) (all []Applied) {
	t.Helper()
	for n.HasWork() {
		if err := n.Begin(epoch); err != nil {
			t.Fatal(err)
		}
		if n.NeedsFlush() {
			if err := n.Log().Flush(); err != nil {
				t.Fatal(err)
			}
		}
		applied, err := n.End()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, applied...)
	}
	return all
}

// set proposes one config, the smallest change there is.
func set(name, value string) func(*metadata.Image) []metadata.Record {
	return func(*metadata.Image) []metadata.Record {
		return []metadata.Record{&metadata.ConfigChange{
			Resource: metadata.Resource{Type: metadata.BrokerResource}, Name: name, Value: &value,
		}}
	}
}

func propose(t testing.TB, n *Node, name, value string) uint64 {
	t.Helper()
	index, err := n.Propose(set(name, value))
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func value(i *metadata.Image, name string) string {
	return i.Config(metadata.Resource{Type: metadata.BrokerResource})[name]
}

func TestStartProposeRestart(t *testing.T) {
	mem := vfs.NewMem()
	n := start(t, config(mem))
	first := propose(t, n, "a", "1")
	second := propose(t, n, "b", "2")
	if second != first+1 {
		t.Errorf("indexes %d and %d do not follow each other", first, second)
	}
	applied := steps(t, n)
	if len(applied) != 2 || applied[1].Image.Index() != second {
		t.Fatalf("%d entries applied", len(applied))
	}
	if value(applied[0].Image, "b") != "" || value(n.Image(), "b") != "2" {
		t.Error("the second entry took effect with the first, or not at all")
	}
	term := n.Image().Epoch()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}

	n = start(t, config(mem))
	if value(n.Image(), "a") != "1" || value(n.Image(), "b") != "2" {
		t.Error("a restart lost what was applied")
	}
	if n.Image().Epoch() <= term {
		t.Errorf("the controller epoch is %d after a restart, it was %d", n.Image().Epoch(), term)
	}
}

// What is proposed counts for the next proposal before it is durable.
func TestProposalsSeeEachOther(t *testing.T) {
	n := start(t, config(vfs.NewMem()))
	propose(t, n, "a", "1")
	var seen string
	index, err := n.Propose(func(i *metadata.Image) []metadata.Record {
		seen = value(i, "a")
		return nil
	})
	if err != nil || seen != "1" || value(n.Image(), "a") != "" {
		t.Errorf("the second proposal saw %q, the applied image has %q, %v", seen, value(n.Image(), "a"), err)
	}
	steps(t, n)
	if n.Image().Index() != index {
		t.Errorf("an answer without records waits for %d, the image is at %d", index, n.Image().Index())
	}
}

func TestNotControllerBeforeTheElection(t *testing.T) {
	n, err := Open(config(vfs.NewMem()), epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Propose(set("a", "1")); !errors.Is(err, ErrNotController) {
		t.Errorf("got %v", err)
	}
}

// Records that do not fit, or are too many, leave the node as it was.
func TestProposalRefused(t *testing.T) {
	n := start(t, config(vfs.NewMem()))
	_, err := n.Propose(func(*metadata.Image) []metadata.Record { return []metadata.Record{&metadata.RemoveTopic{}} })
	if !errors.Is(err, metadata.ErrMismatch) {
		t.Errorf("got %v", err)
	}
	if _, err = n.Propose(set("a", strings.Repeat("x", maxEntry))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	propose(t, n, "b", "1")
	steps(t, n)
	if value(n.Image(), "a") != "" || value(n.Image(), "b") != "1" {
		t.Error("a refused proposal left something behind")
	}
}

// Two snapshots stay, and the log reaches back to the older one.
func TestSnapshotsTrimTheLog(t *testing.T) {
	mem := vfs.NewMem()
	cfg := config(mem)
	cfg.SnapshotEntries = 10
	n := start(t, cfg)
	for i := range 45 {
		propose(t, n, fmt.Sprint("k", i), "v")
		steps(t, n)
		if n.SnapshotDue(epoch) {
			if err := n.Snapshot(epoch); err != nil {
				t.Fatal(err)
			}
		}
	}
	refs := n.storage.snaps.refs
	if len(refs) != 2 || n.Log().Start() != int64(refs[1].index+1) || refs[0].index < 40 {
		t.Errorf("snapshots %v, the log begins at %d", refs, n.Log().Start())
	}
	if term, err := n.storage.Term(refs[1].index); err != nil || term != refs[1].term {
		t.Errorf("term of the entry before the log: %d, %v", term, err)
	}
	want := dump(n.Image())
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = start(t, cfg)
	if diff := cmp.Diff(want, dump(n.Image()), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func dump(i *metadata.Image) (records []metadata.Record) {
	for r := range i.Records() {
		records = append(records, r)
	}
	return records
}

// filled is a directory with some entries, each synced by itself.
func filled(t testing.TB, entries int) *vfs.Mem {
	mem := vfs.NewMem()
	n := start(t, config(mem))
	for i := range entries {
		propose(t, n, fmt.Sprint("k", i), "v")
		steps(t, n)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return mem
}

// change rewrites a file of the metadata directory.
func change(t testing.TB, f vfs.FS, name string, edit func([]byte) []byte) {
	t.Helper()
	name = path.Join(testDir, name)
	b, err := vfs.ReadFile(f, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(name); err != nil {
		t.Fatal(err)
	}
	file, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(edit(b), 0); err != nil {
		t.Fatal(err)
	}
}

const firstSegment = "00000000000000000002.log"

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 1
		return b
	}
}

// D16: an entry that a later one names as durable is bad: the node does not
// start, and says where and what to do. Whatever byte of it is hit.
func TestD16RotInTheMetadataLog(t *testing.T) {
	size := len(read(t, filled(t, 8), firstSegment))
	for at := 0; at < size/2; at += 7 {
		mem := filled(t, 8)
		change(t, mem, firstSegment, flip(at))
		_, err := Open(config(mem), epoch)
		var rot *RotError
		if !errors.As(err, &rot) {
			t.Fatalf("byte %d: got %v, want a RotError", at, err)
		}
		if rot.Position > int64(at) || rot.Witness <= rot.Index || !strings.Contains(err.Error(), "millrace log repair") {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func read(t testing.TB, f vfs.FS, name string) []byte {
	t.Helper()
	b, err := vfs.ReadFile(f, path.Join(testDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// D1, D3 in the metadata log: a tail that nothing valid follows was being
// written. It is cut, and what was before it is there.
func TestTornTailOfTheMetadataLog(t *testing.T) {
	for name, edit := range map[string]func([]byte) []byte{
		"cut short":     func(b []byte) []byte { return b[:len(b)-3] },
		"bad checksum":  func(b []byte) []byte { return flip(len(b) - 1)(b) },
		"zeros":         func(b []byte) []byte { return append(b, make([]byte, 4096)...) },
		"half a header": func(b []byte) []byte { return append(b, b[:40]...) },
	} {
		mem := filled(t, 5)
		change(t, mem, firstSegment, edit)
		n := start(t, config(mem))
		if value(n.Image(), "k3") != "v" {
			t.Errorf("%s: an entry before the tail is gone", name)
		}
		propose(t, n, "after", "v")
		steps(t, n)
	}
}

// D17: a snapshot with a bad checksum is passed over for the one before; its
// entries are still in the log.
func TestD17BadSnapshot(t *testing.T) {
	mem := vfs.NewMem()
	n := start(t, config(mem))
	for i := range 3 {
		propose(t, n, fmt.Sprint("k", i), "v")
		steps(t, n)
		if err := n.Snapshot(epoch); err != nil {
			t.Fatal(err)
		}
	}
	want := dump(n.Image())
	newest, older := n.storage.snaps.refs[0].String(), n.storage.snaps.refs[1].String()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, mem, newest, flip(60))
	n = start(t, config(mem))
	if diff := cmp.Diff(want, dump(n.Image()), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, mem, older, flip(60))
	if _, err := Open(config(mem), epoch); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without any readable snapshot: %v", err)
	}
}

// A directory that is not this node's, or not whole, is refused: going on
// could mean a second vote in one term, or an empty cluster over a full one.
func TestForeignDirectories(t *testing.T) {
	remove := func(name string) func(testing.TB, vfs.FS) {
		return func(t testing.TB, f vfs.FS) {
			if err := f.Remove(path.Join(testDir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		edit func(testing.TB, vfs.FS)
		id   uint64
		want error
	}{
		"another node": {func(testing.TB, vfs.FS) {}, 8, ErrForeign},
		"vote missing": {remove(voteFile), 7, ErrForeign},
		"vote damaged": {func(t testing.TB, f vfs.FS) {
			change(t, f, voteFile, func(b []byte) []byte { return []byte(strings.Replace(string(b), `"vote":7`, `"vote":8`, 1)) })
		}, 7, ErrCorrupt},
		"vote of the past": {func(t testing.TB, f vfs.FS) {
			if err := saveVote(f, testDir, 1, 7); err != nil {
				t.Fatal(err)
			}
		}, 7, ErrForeign},
		"no snapshot": {remove(snapshotRef{1, 1}.String()), 7, ErrForeign},
	} {
		mem := filled(t, 3)
		tc.edit(t, mem)
		cfg := config(mem)
		cfg.ID = tc.id
		if _, err := Open(cfg, epoch); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRaftIDDependsOnTheDirectory(t *testing.T) {
	a, b := RaftID(1, metadata.UUID{1}), RaftID(1, metadata.UUID{2})
	if a == b || a == 0 || a != RaftID(1, metadata.UUID{1}) {
		t.Errorf("%x, %x", a, b)
	}
}
