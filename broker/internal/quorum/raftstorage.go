package quorum

import (
	"path"
	"slices"

	"github.com/millrace-io/millrace/internal/vfs"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

var _ raft.Storage = (*storage)(nil)

// InitialState gives term, vote and members. What is committed is known only
// up to the snapshot.
func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return &raftpb.HardState{
		Term: new(s.voted.Term), Vote: new(s.voted.Vote), Commit: new(s.snaps.refs[0].index),
	}, s.conf, nil
}

// FirstIndex is the first entry that the log has.
func (s *storage) FirstIndex() (uint64, error) { return s.base.index + 1, nil }

// LastIndex is the last entry that the log has.
func (s *storage) LastIndex() (uint64, error) { return uint64(s.log.End() - 1), nil }

// Term is the term of an entry of the log or of the one before it.
func (s *storage) Term(i uint64) (uint64, error) {
	switch {
	case i < s.base.index:
		return 0, raft.ErrCompacted
	case i == s.base.index:
		return s.base.term, nil
	case int64(i) >= s.log.End():
		return 0, raft.ErrUnavailable
	}
	for _, t := range slices.Backward(s.terms) {
		if t.index <= i {
			return t.term, nil
		}
	}
	return s.base.term, nil
}

// Entries gives the entries lo to hi-1, but after the first one no more than
// maxSize bytes.
func (s *storage) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	switch {
	case lo <= s.base.index:
		return nil, raft.ErrCompacted
	case int64(hi) > s.log.End():
		return nil, raft.ErrUnavailable
	}
	var entries []*raftpb.Entry
	size := uint64(0)
	take := func(e *raftpb.Entry) bool {
		const overhead = 32 // of an entry beside its data, roughly
		size += uint64(len(e.GetData())) + overhead
		if len(entries) > 0 && size > maxSize || e.GetIndex() >= hi {
			return false
		}
		entries = append(entries, e)
		return true
	}
	if len(s.tail) > 0 && s.tail[0].GetIndex() <= lo {
		for _, e := range s.tail[lo-s.tail[0].GetIndex():] {
			if !take(e) {
				break
			}
		}
		return entries, nil
	}
	for b, err := range s.log.Batches(int64(lo), int64(hi)) {
		if err != nil {
			return nil, err
		}
		e, _, err := entryOf(b)
		if err != nil {
			return nil, err
		}
		e.Data = slices.Clone(e.Data) // The batch is valid for this step only.
		if !take(e) {
			break
		}
	}
	return entries, nil
}

// Snapshot gives the newest snapshot, for a follower that the log does not
// reach.
func (s *storage) Snapshot() (*raftpb.Snapshot, error) {
	ref := s.snaps.refs[0]
	b, err := vfs.ReadFile(s.fs, path.Join(s.dir, ref.String()))
	if err != nil {
		return nil, err
	}
	snap, err := decodeSnapshot(b)
	if err != nil {
		return nil, err
	}
	return &raftpb.Snapshot{Data: b, Metadata: &raftpb.SnapshotMetadata{
		ConfState: snap.conf, Index: new(ref.index), Term: new(ref.term),
	}}, nil
}
