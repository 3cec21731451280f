package quorum

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

func FuzzPayload(f *testing.F) {
	f.Add(appendPayload(nil, 3, set("a", "1")(nil)))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := parsePayload(in)
		if err != nil || len(in) == 0 {
			return
		}
		again, err := parsePayload(appendPayload(nil, p.epoch, p.records))
		if err != nil || len(again.records) != len(p.records) || again.epoch != p.epoch {
			t.Fatalf("%+v does not decode again: %v", p, err)
		}
	})
}

// A snapshot's checksum is made right, so that the fuzzer gets past it.
func FuzzSnapshot(f *testing.F) {
	d := (&metadata.Image{}).Edit(5, 2)
	for _, r := range set("a", "1")(nil) {
		if err := d.Apply(r); err != nil {
			f.Fatal(err)
		}
	}
	whole := snapshot{d.Finish(), &raftpb.ConfState{Voters: []uint64{7}}}.encode()
	f.Add(whole[:len(whole)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		snap, err := decodeSnapshot(append(bytes.Clone(body), sum[:]...))
		if err != nil {
			return
		}
		if _, err := decodeSnapshot(snap.encode()); err != nil {
			t.Fatalf("what was read is not readable when written: %v", err)
		}
	})
}

// Whatever the log's file holds, opening it says so or gives a node that
// works; it never panics.
func FuzzRecovery(f *testing.F) {
	whole := read(f, filled(f, 4), firstSegment)
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add(append(bytes.Clone(whole), whole...))
	f.Fuzz(func(t *testing.T, b []byte) {
		mem := filled(t, 1)
		name := path.Join(testDir, firstSegment)
		file, err := mem.OpenFile(name, os.O_RDWR|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		n, err := Open(config(vfs.FS(mem)), epoch)
		if err != nil {
			return
		}
		if err := n.Campaign(); err != nil {
			t.Fatal(err)
		}
		for n.HasWork() {
			if n.Begin(epoch) != nil || n.Log().Flush() != nil {
				return
			}
			if _, err := n.End(); err != nil {
				return // Intact entries may still not fit each other.
			}
		}
	})
}
