package sim

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/vfs"
)

// openDir takes the data directory into use.
func (l *life) openDir() (err error) {
	l.dir, err = datadir.Open(l.disk, dataDir, datadir.Options{
		NodeID: self, OpenFiles: l.world.plan.openFiles,
		NewID:   func() string { return l.world.newID().String() },
		Offline: func(error) { l.sick = true },
	})
	if err != nil {
		return err
	}
	l.replicas = replica.NewSet(replica.Deps{
		Broker: self, FS: l.disk, Files: l.dir.Files(), Disk: replica.OnDisk(l.dir), Now: l.world.clock,
		ProducerExpiry: sessionTimeout, Logger: slog.New(slog.DiscardHandler), Parallel: 1,
	})
	return nil
}

// checkpoint writes what the next recovery may rely on.
func (l *life) checkpoint() error {
	err := l.dir.Checkpoint()
	if l.world.dead() {
		return nil
	}
	l.world.trace.add("checkpoint: %v", err)
	return l.unlessSick(err)
}

// unlessSick forgives an error of a disk that is full or known to have failed.
func (l *life) unlessSick(err error) error {
	switch {
	case err == nil, l.sick, vfs.IsNoSpace(err):
		return nil
	case errors.Is(err, errBroken):
		l.sick = true
		return nil
	}
	return err
}

// retain removes what is too old or too much, as the broker does every five
// minutes. Also a process that dies over it may have removed something.
func (w *World) retain() error {
	w.life.dir.Retain(w.now)
	for _, p := range w.life.care() {
		m := w.logs[partitionID{p.Topic(), p.Index()}]
		if p.LogStart() != m.start {
			w.trace.add("%s: begins at %d", m.name, p.LogStart())
			if err := m.retained(p.LogStart(), p.HighWatermark()); err != nil {
				return err
			}
		}
	}
	return nil
}

// stop ends the life in order: logs, data directory, quorum. The next one has
// nothing to recover.
func (w *World) stop() error {
	l := w.life
	l.finishFlushes()
	err := l.replicas.Close()
	err = errors.Join(err, l.dir.Close(err == nil), l.quorum.Close())
	if w.dead() {
		return nil
	}
	w.trace.add("stopped in order: %v", err)
	w.stops++
	w.disk.die(killed, "a stop in order")
	return l.unlessSick(err)
}

// care lists the partitions in the order of their names.
func (l *life) care() []*replica.Partition {
	return slices.SortedFunc(l.replicas.All(), func(a, b *replica.Partition) int {
		return comparePartitions(partitionID{a.Topic(), a.Index()}, partitionID{b.Topic(), b.Index()})
	})
}
