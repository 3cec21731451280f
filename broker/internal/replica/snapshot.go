package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/internal/vfs"
)

// Producer snapshots lie beside the segments, named by the offset they stand
// for. They are caches, like indexes: written without a sync, believed only
// if their checksum holds, and otherwise made up for by reading more of the
// log.
const (
	snapshotSuffix = ".snapshot"
	snapshotDigits = 20
)

func (p *Partition) snapshotName(offset int64) string {
	return path.Join(p.log.Dir(), fmt.Sprintf("%0*d%s", snapshotDigits, offset, snapshotSuffix))
}

// writeSnapshot saves the producers' state as of an offset. A failure costs
// time at the next open, so it is a warning.
func (p *Partition) writeSnapshot(offset int64) {
	name := p.snapshotName(offset)
	if err := writeFile(p.deps.FS, name, p.producers.AppendSnapshot(nil)); err != nil {
		p.logger.Warn("producer snapshot not written", "file", name, "error", err)
	}
}

func writeFile(fsys vfs.FS, name string, data []byte) error {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}

// snapshotRoll saves the producers' state where the last segment begins, if
// one has begun since, and reports whether one has. The caller holds mu; the
// drain's updates are not committed yet, so they can be taken back to that
// point and made again.
func (p *Partition) snapshotRoll() bool {
	base := p.rolledAt.Swap(0)
	if base == 0 {
		return false
	}
	p.producers.Rollback()
	saved, position := false, p.bytes
	for _, b := range p.batches {
		if !saved && b.LastOffset() >= base {
			p.saveProducers(base)
			saved = true
		}
		p.producers.Update(b, p.writing, position)
		position += int64(len(b))
	}
	return true
}

// saveProducers saves the state as of a roll. Who expires is left out.
func (p *Partition) saveProducers(base int64) {
	p.producers.Expire(p.writing)
	p.writeSnapshot(base)
}

// removeSnapshot removes the snapshot of a segment that is gone.
func (p *Partition) removeSnapshot(base int64) {
	if err := p.deps.FS.Remove(p.snapshotName(base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.logger.Warn("producer snapshot not removed", "partition", p.name(), "offset", base, "error", err)
	}
}

// rebuildProducers loads the newest snapshot that holds and reads the rest
// from the log. One from before the log's start is of no use: between the two
// lies what retention has removed, so it would know old sequences for the last.
// A producer that is forgotten may go on with any (KIP-360).
//
// Where recovery went over batches, the aborted transactions among them are
// found on the way: then the snapshot is one from before these batches.
func (p *Partition) rebuildProducers() error {
	offsets, bases, err := p.listSnapshots()
	if err != nil {
		return err
	}
	if offsets, err = p.dropBeyondEnd(offsets); err != nil {
		return err
	}
	from := int64(0)
	for i := len(offsets) - 1; i >= 0 && from == 0 && offsets[i] >= p.log.Start(); i-- {
		if offsets[i] <= p.log.AbortedFrom() && p.loadSnapshot(offsets[i]) {
			from = offsets[i]
		}
	}
	for _, offset := range offsets {
		if offset < from && !slices.Contains(bases, offset) {
			p.removeSnapshot(offset) // a stop's, older than the newest
		}
	}
	if err := p.replay(max(from, p.log.Start())); err != nil {
		return err
	}
	return p.log.AbortedRestored()
}

// replay takes the batches from an offset on into the producers' state.
func (p *Partition) replay(from int64) error {
	now := p.deps.Now()
	for b, err := range p.log.Batches(from, p.log.End()) {
		if err != nil {
			return err
		}
		p.producers.Update(b, now, 0)
		for _, t := range p.aborted() {
			p.log.RestoreAborted(t)
		}
		p.producers.Commit()
	}
	return nil
}

// listSnapshots returns the offsets of the snapshots and of the segments,
// rising.
func (p *Partition) listSnapshots() (snapshots, segments []int64, err error) {
	entries, err := p.deps.FS.ReadDir(p.log.Dir())
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		name, suffix, ok := strings.Cut(entry.Name(), ".")
		offset, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil || offset < 0 || len(name) != snapshotDigits {
			continue
		}
		switch "." + suffix {
		case snapshotSuffix:
			snapshots = append(snapshots, offset)
		case ".log":
			segments = append(segments, offset)
		}
	}
	slices.Sort(snapshots)
	return snapshots, segments, nil
}

// dropBeyondEnd removes the snapshots of offsets that the log has lost. Their
// removal is durable before those offsets are given away anew, or another
// crash could bring back a snapshot of records that were never there.
func (p *Partition) dropBeyondEnd(offsets []int64) ([]int64, error) {
	n := len(offsets)
	for n > 0 && offsets[n-1] > p.log.End() {
		n--
		if err := p.deps.FS.Remove(p.snapshotName(offsets[n])); err != nil {
			return nil, err
		}
	}
	if n == len(offsets) {
		return offsets, nil
	}
	return offsets[:n], p.deps.FS.SyncDir(p.log.Dir())
}

func (p *Partition) loadSnapshot(offset int64) bool {
	data, err := vfs.ReadFile(p.deps.FS, p.snapshotName(offset))
	if err == nil {
		err = p.producers.LoadSnapshot(data, p.deps.Now())
	}
	if err != nil {
		p.logger.Warn("producer snapshot not used", "file", p.snapshotName(offset), "error", err)
	}
	return err == nil
}
