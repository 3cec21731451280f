package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is the unit that a disk writes whole. A write that spans several may
// lose any of them.
const sector = 512

// Crash ends this filesystem, as a loss of power does, and returns what the
// disk holds: everything synced, and of the unsynced operations each one
// kept, dropped or torn as rng decides, in any order across files. A nil rng
// drops them all. Everything done with m afterwards fails with ErrCrashed.
//
// The same operations and the same source give the same disk.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	m.crashed.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	fate := newFate(rng)
	for _, op := range m.dirOps {
		if fate.draw() == kept {
			op.persist()
		}
	}
	m.dirOps = nil
	after := NewMem()
	after.root = m.root.survive(fate, map[*node]*node{})
	return after
}

// survive copies what the disk holds of a node and everything below it. A
// file with two names, which an undone rename can leave, stays one file.
func (n *node) survive(fate *fate, seen map[*node]*node) *node {
	if copied, ok := seen[n]; ok {
		return copied
	}
	if !n.dir {
		copied := &node{data: n.afterCrash(fate)}
		seen[n] = copied
		return copied
	}
	copied := newDir()
	seen[n] = copied
	for _, name := range slices.Sorted(maps.Keys(n.durable)) {
		child := n.durable[name].survive(fate, seen)
		copied.entries[name], copied.durable[name] = child, child
	}
	return copied
}

// afterCrash undoes every unsynced change, then applies again those that fate
// lets live.
func (n *node) afterCrash(fate *fate) blocks {
	n.mu.Lock()
	defer n.mu.Unlock()
	data := n.data.clone()
	for i := range slices.Backward(n.ops) {
		n.ops[i].undo(&data)
	}
	for i := range n.ops {
		n.ops[i].redo(&data, fate)
	}
	return data
}

func (op *fileOp) undo(data *blocks) {
	if op.truncate {
		data.truncate(op.size)
		data.writeAt(op.old, op.end)
		return
	}
	op.next = data.slice(op.off, op.end)
	data.truncate(op.size)
	data.writeAt(op.old, op.off)
}

func (op *fileOp) redo(data *blocks, fate *fate) {
	outcome := fate.draw()
	switch op.state {
	case opSynced:
		outcome = kept
	case opLost:
		outcome = dropped
	case opPending:
	}
	if outcome == dropped {
		return
	}
	if op.truncate {
		data.truncate(op.end)
		return
	}
	switch outcome {
	case torn:
		fate.tear(data, op.next, op.off)
	case zeroed:
		// The size reached the disk, the data did not: ext4 shows zeros.
		data.grow(op.end)
	default:
		data.writeAt(op.next, op.off)
	}
}

// fate decides what becomes of unsynced operations. Some crashes lose or keep
// nearly everything, others mix: uniform draws alone would hardly ever lose a
// long run.
type fate struct {
	rng  *rand.Rand
	bias int // 0: drop all, 1: keep all, otherwise mix
}

type outcome uint8

const (
	dropped outcome = iota
	kept
	torn
	zeroed
)

func newFate(rng *rand.Rand) *fate {
	f := &fate{rng: rng}
	if rng != nil {
		f.bias = rng.IntN(6)
	}
	return f
}

func (f *fate) draw() outcome {
	switch {
	case f.rng == nil || f.bias == 0:
		return dropped
	case f.bias == 1:
		return kept
	}
	switch r := f.rng.IntN(100); {
	case r < 40:
		return dropped
	case r < 75:
		return kept
	case r < 92:
		return torn
	default:
		return zeroed
	}
}

// tear writes some of the sectors of p: half of the time the first ones, else
// any.
func (f *fate) tear(data *blocks, p []byte, off int64) {
	first := (off + sector) / sector * sector // the end of the first sector
	n := 1 + (off+int64(len(p))-first+sector-1)/sector
	upTo := n
	prefix := f.rng.IntN(2) == 0
	if prefix {
		upTo = f.rng.Int64N(n)
	}
	for i := range n {
		if prefix && i >= upTo || !prefix && f.rng.IntN(2) == 0 {
			continue
		}
		from, to := max(first+(i-1)*sector, off), min(first+i*sector, off+int64(len(p)))
		if from < to {
			data.writeAt(p[from-off:to-off], from)
		}
	}
}
