package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/vfs"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Config is what a node of the quorum needs.
type Config struct {
	FS vfs.FS
	// Dir is the log's directory, .../__cluster_metadata-0.
	Dir string
	// ID is this node's RaftID.
	ID uint64
	// Voters are the ids of a cluster that does not exist yet; without them
	// this node is the only one. They mean nothing once the directory exists.
	Voters []uint64
	// Files bounds open files; nil keeps the log's open.
	Files *vfs.FileCache
	// Logger is told about elections and recovery; nothing without it.
	Logger *slog.Logger

	// A snapshot is due after so many entries, bytes of entries, or at the
	// first entry after so long; 0 means 20,000, 64 MiB and one hour.
	SnapshotEntries int
	SnapshotBytes   int64
	SnapshotAge     time.Duration
}

func (c Config) withDefaults() Config {
	c.SnapshotEntries = cmp.Or(c.SnapshotEntries, 20_000)
	c.SnapshotBytes = cmp.Or(c.SnapshotBytes, 64<<20)
	c.SnapshotAge = cmp.Or(c.SnapshotAge, time.Hour)
	if len(c.Voters) == 0 {
		c.Voters = []uint64{c.ID}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Node is one member of the quorum, as a machine that is stepped. A step is
//
//	Begin    vote and entries are written
//	         Log().Capture, Sync, Log().FlushDone, where NeedsFlush says so
//	End      what is committed is applied
//
// and is due while HasWork. After an error the node must not be used further:
// what its disk holds is not known.
type Node struct {
	config  Config
	storage *storage
	raft    *raft.RawNode
	ready   raft.Ready // of the step under way

	image    *metadata.Image // applied
	leading  bool
	term     uint64
	proposed *metadata.Image // with everything proposed; nil unless active

	sinceSnapshot struct {
		entries int
		bytes   int64
		at      time.Time
	}
}

// Applied is one entry that took effect.
type Applied struct {
	Delta *metadata.Delta
	Image *metadata.Image
}

// Open opens the node's directory, or makes it. Errors are [RotError],
// [ErrForeign], [ErrCorrupt] and those of the filesystem.
func Open(cfg Config, now time.Time) (*Node, error) {
	cfg = cfg.withDefaults()
	s, snap, err := openStorage(cfg)
	if err != nil {
		return nil, err
	}
	n := &Node{config: cfg, storage: s, image: snap.image, term: s.voted.Term}
	n.sinceSnapshot.at = now
	if !slices.Contains(slices.Concat(s.conf.Voters, s.conf.Learners), cfg.ID) {
		_ = s.log.Close()
		return nil, fmt.Errorf("%w: %s belongs to the members %x and this node is %x; the directory was copied, or the node's id or directory id changed", ErrForeign, cfg.Dir, s.conf.Voters, cfg.ID)
	}
	n.raft, err = raft.NewRawNode(&raft.Config{
		ID:      cfg.ID,
		Storage: s, Applied: snap.index(),
		ElectionTick: 25, HeartbeatTick: 5, PreVote: true, CheckQuorum: true,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256, MaxInflightBytes: 64 << 20, MaxUncommittedEntriesSize: 256 << 20,
		DisableProposalForwarding: true,
		Logger:                    raftLogger{cfg.Logger},
	})
	if err != nil {
		_ = s.log.Close()
		return nil, err
	}
	return n, nil
}

// Close flushes and closes the log.
func (n *Node) Close() error { return n.storage.log.Close() }

// Sole reports whether this node is the only voter and there is no learner:
// then it needs no ticks.
func (n *Node) Sole() bool {
	c := n.storage.conf
	return len(c.Voters) == 1 && c.Voters[0] == n.config.ID && len(c.Learners)+len(c.VotersOutgoing)+len(c.LearnersNext) == 0
}

// Image is the applied image.
func (n *Node) Image() *metadata.Image { return n.image }

// Log is the metadata log, for flushing.
func (n *Node) Log() *commitlog.Log { return n.storage.log }

// Campaign asks for an election. A sole voter wins it in the next steps.
func (n *Node) Campaign() error { return n.raft.Campaign() }

// Tick moves raft's clock by 10 ms.
func (n *Node) Tick() { n.raft.Tick() }

// Active reports whether this node is the active controller: it leads, and
// its image has everything that earlier leaders committed.
func (n *Node) Active() bool { return n.leading && n.image.Epoch() == n.term }

// HasWork reports whether a step is due.
func (n *Node) HasWork() bool { return n.raft.HasReady() }

// Propose lets build decide upon the speculative image and proposes the
// records that it returns as one entry. It returns the index of the entry
// that must be applied before an answer leaves; where build returns no
// records that is the last one of the image that it saw.
func (n *Node) Propose(build func(*metadata.Image) []metadata.Record) (uint64, error) {
	if !n.Active() {
		return 0, ErrNotController
	}
	if n.proposed == nil {
		n.proposed = n.image
	}
	records := build(n.proposed)
	if len(records) == 0 {
		return n.proposed.Index(), nil
	}
	index := n.proposed.Index() + 1
	next, err := apply(n.proposed, index, n.term, records)
	if err != nil {
		return 0, err
	}
	data := appendPayload(nil, n.term, records)
	if len(data) > maxEntry {
		return 0, fmt.Errorf("%w: %d bytes, %d records; the most is %d bytes", ErrTooLarge, len(data), len(records), maxEntry)
	}
	if err := n.raft.Propose(data); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotController, err)
	}
	n.proposed = next.Image
	return index, nil
}

// apply makes the next image.
func apply(i *metadata.Image, index, term uint64, records []metadata.Record) (Applied, error) {
	d := i.Edit(index, term)
	for _, r := range records {
		if err := d.Apply(r); err != nil {
			return Applied{}, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	return Applied{d, d.Finish()}, nil
}

// Begin starts a step: it makes term and vote durable and writes entries.
func (n *Node) Begin(now time.Time) error {
	n.ready = n.raft.Ready()
	if !raft.IsEmptySnap(n.ready.Snapshot) || len(n.ready.Messages) > 0 {
		return errors.New("raft wants to talk to peers, and this version has no transport for it")
	}
	if h := n.ready.HardState; !raft.IsEmptyHardState(h) {
		if err := n.storage.saveVote(h.GetTerm(), h.GetVote()); err != nil {
			return err
		}
		n.setTerm(h.GetTerm())
	}
	if soft := n.ready.SoftState; soft != nil {
		n.setLeading(soft.RaftState == raft.StateLeader)
	}
	return n.storage.append(n.ready.Entries, now)
}

func (n *Node) setTerm(term uint64) {
	if term != n.term {
		n.term, n.proposed = term, nil
	}
}

func (n *Node) setLeading(leading bool) {
	if n.leading = leading; !leading {
		n.proposed = nil
	}
}

// NeedsFlush reports whether the log must be flushed before End.
func (n *Node) NeedsFlush() bool { return n.storage.log.Flushed() < n.storage.log.End() }

// End finishes a step: it applies what is committed and returns it in order.
func (n *Node) End() ([]Applied, error) {
	if n.NeedsFlush() {
		return nil, errors.New("quorum: the step's entries are not flushed")
	}
	all := make([]Applied, 0, len(n.ready.CommittedEntries))
	for _, e := range n.ready.CommittedEntries {
		a, err := n.applyEntry(e)
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	n.storage.applied(n.image.Index())
	n.raft.Advance(n.ready)
	n.ready = raft.Ready{}
	return all, nil
}

func (n *Node) applyEntry(e *raftpb.Entry) (Applied, error) {
	if e.GetType() != raftpb.EntryNormal {
		return Applied{}, fmt.Errorf("%w: entry %d changes the voters", metadata.ErrNewer, e.GetIndex())
	}
	p, err := parsePayload(e.GetData())
	if err != nil {
		return Applied{}, fmt.Errorf("entry %d: %w", e.GetIndex(), err)
	}
	if p.epoch != e.GetTerm() {
		// Decided by an earlier controller upon an image that has moved on.
		p.records = nil
	}
	a, err := apply(n.image, e.GetIndex(), e.GetTerm(), p.records)
	if err != nil {
		return Applied{}, err
	}
	n.image = a.Image
	n.sinceSnapshot.entries++
	n.sinceSnapshot.bytes += int64(len(e.GetData()))
	return a, nil
}

// SnapshotDue reports whether it is time for a snapshot.
func (n *Node) SnapshotDue(now time.Time) bool {
	s := n.sinceSnapshot
	return s.entries >= n.config.SnapshotEntries || s.bytes >= n.config.SnapshotBytes ||
		s.entries > 0 && now.Sub(s.at) >= n.config.SnapshotAge
}

// Snapshot writes a snapshot of the applied image and trims the log to what
// the two newest snapshots need. It belongs between two steps.
func (n *Node) Snapshot(now time.Time) error {
	if n.image.Index() == n.storage.snaps.refs[0].index {
		return nil
	}
	if err := n.storage.saveSnapshot(snapshot{n.image, n.storage.conf}); err != nil {
		return err
	}
	n.sinceSnapshot.entries, n.sinceSnapshot.bytes, n.sinceSnapshot.at = 0, 0, now
	return nil
}
