package quorum

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/vfs"
)

// The power fails at any point, again and again: between any two parts of a
// step, in the middle of a snapshot, during the recovery from the last time.
// What was applied is there afterwards, and the image at each index is what
// it was; term and controller epoch only rise.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mem := vfs.NewMem()
			if err := errors.Join(mem.MkdirAll("data", 0o755), mem.SyncDir(".")); err != nil {
				t.Fatal(err) // The data directory is not the quorum's to make.
			}
			c := crashing{T: t, rng: rand.New(rand.NewPCG(seed, 1)), mem: mem, history: map[uint64]*metadata.Image{}}
			for range 6 {
				c.life()
			}
		})
	}
}

type crashing struct {
	*testing.T
	rng     *rand.Rand
	mem     *vfs.Mem
	history map[uint64]*metadata.Image // by index, as applied
	acked   uint64                     // the last index that was applied
	epoch   uint64
	n       int
}

// life is one run of the node, until its power fails.
func (c *crashing) life() {
	fault := vfs.NewFault(c.mem)
	if c.rng.IntN(3) > 0 {
		// Most lives end in the middle of something: an operation fails and
		// everything after it does, too.
		op := []vfs.Op{vfs.OpWrite, vfs.OpSync, vfs.OpSyncDir, vfs.OpRename, vfs.OpOpen, vfs.OpTruncate}[c.rng.IntN(6)]
		fault.Add(vfs.Rule{Op: op, At: 1 + c.rng.IntN(60)})
	}
	cfg := config(fault)
	cfg.SnapshotEntries = 8
	if err := c.run(cfg); err != nil && !isFault(err) {
		c.Fatal(err)
	}
	c.mem = c.mem.Crash(c.rng)
}

// isFault tells a planted fault from a wrong decision of the node.
func isFault(err error) bool {
	var rot *RotError
	return !errors.Is(err, ErrForeign) && !errors.Is(err, ErrCorrupt) && !errors.As(err, &rot) &&
		!errors.Is(err, metadata.ErrMismatch) && !errors.Is(err, errWrong)
}

var errWrong = errors.New("the node is wrong")

func (c *crashing) run(cfg Config) error {
	n, err := Open(cfg, epoch)
	if err != nil {
		return err
	}
	if err := n.Campaign(); err != nil {
		return err
	}
	if err := c.steps(n); err != nil {
		return err
	}
	if !n.Active() || n.Image().Index() < c.acked || n.Image().Epoch() <= c.epoch {
		return fmt.Errorf("%w: recovered index %d of epoch %d, %d was applied in epoch %d", errWrong, n.Image().Index(), n.Image().Epoch(), c.acked, c.epoch)
	}
	c.epoch = n.Image().Epoch()
	for range c.rng.IntN(40) {
		for range 1 + c.rng.IntN(3) {
			c.n++
			if _, err := n.Propose(set(fmt.Sprint("k", c.rng.IntN(10)), fmt.Sprint(c.n))); err != nil {
				return err
			}
		}
		if err := c.steps(n); err != nil {
			return err
		}
		if n.SnapshotDue(epoch) {
			if err := n.Snapshot(epoch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *crashing) steps(n *Node) error {
	for n.HasWork() {
		if err := n.Begin(epoch); err != nil {
			return err
		}
		if n.NeedsFlush() {
			if err := n.Log().Flush(); err != nil {
				return err
			}
		}
		applied, err := n.End()
		if err != nil {
			return err
		}
		for _, a := range applied {
			if err := c.compare(a.Image); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare checks an image against the one that an earlier life applied at the
// same index.
func (c *crashing) compare(i *metadata.Image) error {
	was, ok := c.history[i.Index()]
	if !ok || i.Index() > c.acked {
		c.history[i.Index()] = i
		c.acked = max(c.acked, i.Index())
		return nil
	}
	if diff := cmp.Diff(dump(was), dump(i), cmpopts.EquateEmpty()); diff != "" || was.Epoch() != i.Epoch() {
		return fmt.Errorf("%w: entry %d of epoch %d was another one, of epoch %d: %s", errWrong, i.Index(), i.Epoch(), was.Epoch(), diff)
	}
	return nil
}
