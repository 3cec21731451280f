package quorum

import (
	"fmt"
	"log/slog"
	"path"
	"slices"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/internal/vfs"
	"go.etcd.io/raft/v3/raftpb"
)

// segmentBytes is the size of the metadata log's segments. They are small
// because the log is read whole at each start, and trimmed by segments.
const segmentBytes = 16 << 20

// storage is what the node has on disk. Raft reads it through the methods in
// raftstorage.go.
type storage struct {
	fs    vfs.FS
	dir   string
	log   *commitlog.Log
	snaps *snapshots
	voted vote
	conf  *raftpb.ConfState

	// base is the entry before the first that the log has.
	base snapshotRef
	// terms says at which index each term begins, from base on.
	terms []termStart
	// tail holds the entries that raft has not handed out for applying yet,
	// so that they need not be read back.
	tail    []*raftpb.Entry
	builder record.Builder
}

type termStart struct{ term, index uint64 }

// openStorage opens what is there, or makes it for a first start with these
// voters. It returns the newest snapshot that is intact.
func openStorage(cfg Config) (*storage, snapshot, error) {
	s := &storage{fs: cfg.FS, dir: cfg.Dir}
	if err := s.prepareDir(); err != nil {
		return nil, snapshot{}, err
	}
	var err error
	if s.snaps, err = listSnapshots(s.fs, s.dir, cfg.Logger); err != nil {
		return nil, snapshot{}, err
	}
	if len(s.snaps.refs) == 0 {
		if err := s.bootstrap(cfg.Voters); err != nil {
			return nil, snapshot{}, err
		}
	}
	snap, err := s.snaps.newest()
	if err != nil {
		return nil, snapshot{}, err
	}
	s.conf = snap.conf
	if err := s.openLog(cfg); err != nil {
		return nil, snapshot{}, err
	}
	if err := s.fitLog(snap, cfg.Logger); err != nil {
		_ = s.log.Close()
		return nil, snapshot{}, err
	}
	return s, snap, nil
}

// prepareDir makes the directory and everything in it durable: a process that
// died between a rename and its sync has left a snapshot or a vote that is there
// to see and could still be lost.
func (s *storage) prepareDir() error {
	if err := s.fs.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if err := s.fs.SyncDir(path.Dir(s.dir)); err != nil {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

// bootstrap writes the snapshot that all voters of a new cluster begin with:
// index 1, term 1, an empty image. Its file is what tells an initialised
// directory.
func (s *storage) bootstrap(voters []uint64) error {
	_, voted, err := loadVote(s.fs, s.dir)
	if err != nil {
		return err
	}
	bases, err := segmentBases(s.fs, s.dir)
	if err != nil {
		return err
	}
	if voted || len(bases) > 0 {
		return fmt.Errorf("%w: %s has a log or a vote but no snapshot; restore the directory from a backup, or with other voters replace this node", ErrForeign, s.dir)
	}
	first := (&metadata.Image{}).Edit(1, 1).Finish()
	return s.snaps.save(snapshot{first, &raftpb.ConfState{Voters: voters, AutoLeave: new(false)}})
}

// openLog checks the log and opens it behind the oldest snapshot.
func (s *storage) openLog(cfg Config) error {
	if err := checkForRot(s.fs, s.dir); err != nil {
		return err
	}
	start := int64(s.snaps.oldest().index + 1)
	var err error
	s.log, err = commitlog.Open(s.fs, s.dir, commitlog.Config{SegmentBytes: segmentBytes}, commitlog.OpenOptions{
		LogStart: start, Replay: start, OnBatch: s.recovered, Files: cfg.Files, Logger: cfg.Logger,
	})
	return err
}

// recovered takes note of an entry that the log holds.
func (s *storage) recovered(b record.Batch) error {
	e, _, err := entryOf(b)
	if err != nil {
		return err
	}
	s.noteTerm(e)
	return nil
}

func (s *storage) noteTerm(e *raftpb.Entry) {
	if n := len(s.terms); n == 0 || s.terms[n-1].term != e.GetTerm() {
		s.terms = append(s.terms, termStart{e.GetTerm(), e.GetIndex()})
	}
}

// fitLog makes sure that snapshot, log and vote belong together.
func (s *storage) fitLog(snap snapshot, logger *slog.Logger) error {
	next := int64(snap.index() + 1)
	if s.log.Start() > next {
		return fmt.Errorf("%w: the newest readable snapshot ends at entry %d and the log begins at %d; restore the directory from a backup, or with other voters replace this node",
			ErrForeign, snap.index(), s.log.Start())
	}
	if s.log.End() < next {
		logger.Warn("metadata log ends below its snapshot, beginning anew behind it", "end", s.log.End(), "snapshot", snap.index())
		if err := s.log.Reset(next); err != nil {
			return err
		}
		s.terms = nil
	}
	s.base = snapshotRef{snap.index(), snap.term()}
	for _, ref := range s.snaps.refs {
		if int64(ref.index+1) >= s.log.Start() {
			s.base = ref
		}
	}
	return s.fitVote(snap)
}

// fitVote loads the vote. Only a directory in which nothing has happened yet
// may lack it.
func (s *storage) fitVote(snap snapshot) error {
	voted, ok, err := loadVote(s.fs, s.dir)
	if err != nil {
		return err
	}
	last, err := s.LastIndex()
	if err != nil {
		return err
	}
	if !ok {
		if last > 1 {
			return fmt.Errorf("%w: %s is missing, so this node no longer knows how it voted; with other voters replace it, alone restore the file from a backup",
				ErrForeign, path.Join(s.dir, voteFile))
		}
		return s.saveVote(snap.term(), 0)
	}
	if term, err := s.Term(last); err != nil || term > voted.Term {
		return fmt.Errorf("%w: the log's last entry is of term %d and %s of term %d; restore the directory from a backup", ErrForeign, term, voteFile, voted.Term)
	}
	s.voted = voted
	return nil
}

func (s *storage) saveVote(term, candidate uint64) error {
	if s.voted.Term == term && s.voted.Vote == candidate {
		return nil
	}
	if err := saveVote(s.fs, s.dir, term, candidate); err != nil {
		return err
	}
	s.voted = vote{Term: term, Vote: candidate}
	return nil
}

// append writes entries behind the log's end, or from their first index on
// where the log has others. They are durable after a flush.
func (s *storage) append(entries []*raftpb.Entry, now time.Time) error {
	if len(entries) == 0 {
		return nil
	}
	if first := entries[0].GetIndex(); int64(first) < s.log.End() {
		if err := s.truncate(first); err != nil {
			return err
		}
	}
	durable := s.log.Flushed()
	batches := make([]record.Batch, 0, len(entries))
	for _, e := range entries {
		b, err := batchOf(&s.builder, e, durable, now.UnixMilli())
		if err != nil {
			return err
		}
		batches = append(batches, slices.Clone(b))
	}
	if err := s.log.Append(batches, now); err != nil {
		return err
	}
	for _, e := range entries {
		s.noteTerm(e)
	}
	s.tail = append(s.tail, entries...)
	return nil
}

// truncate removes the entries from index on: another leader's entries take
// their place.
func (s *storage) truncate(index uint64) error {
	s.tail = slices.DeleteFunc(s.tail, func(e *raftpb.Entry) bool { return e.GetIndex() >= index })
	s.terms = slices.DeleteFunc(s.terms, func(t termStart) bool { return t.index >= index })
	return s.log.TruncateTo(int64(index))
}

// applied lets go of the entries up to index.
func (s *storage) applied(index uint64) {
	n, _ := slices.BinarySearchFunc(s.tail, index+1, func(e *raftpb.Entry, i uint64) int {
		return int(int64(e.GetIndex()) - int64(i))
	})
	s.tail = slices.Delete(s.tail, 0, n)
}

// saveSnapshot writes a snapshot and then lets go of what the older ones no
// longer need: snapshot files first, log segments after.
func (s *storage) saveSnapshot(snap snapshot) error {
	if err := s.snaps.save(snap); err != nil {
		return err
	}
	s.snaps.trim()
	s.base = s.snaps.oldest()
	first := slices.IndexFunc(s.terms, func(t termStart) bool { return t.index > s.base.index })
	if first < 0 {
		first = len(s.terms)
	}
	s.terms = slices.Delete(s.terms, 0, max(first-1, 0))
	if err := s.log.Roll(); err != nil {
		return err
	}
	return s.log.SetStart(int64(s.base.index + 1))
}
