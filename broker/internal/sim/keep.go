package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/replica"
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
		Broker: self, FS: l.disk, Files: l.dir.Files(), Disk: (*keeper)(l), Now: l.world.clock,
		ProducerExpiry: sessionTimeout, Logger: slog.New(slog.DiscardHandler), Parallel: 1,
	})
	return nil
}

// keeper lets replicas use the data directory.
type keeper life

// Place finds a partition's directory. One of another topic is set aside.
func (k *keeper) Place(topic string, id replica.TopicID, partition int32) (replica.Place, error) {
	name, own := datadir.LogName(topic, partition), metadata.UUID(id).String()
	held, err := k.dir.TopicID(name)
	if err != nil {
		return replica.Place{}, err
	}
	if held != "" && held != own {
		return replica.Place{}, fmt.Errorf("%s is of topic %s, and the cluster's is %s", name, held, own)
	}
	if held == "" {
		if err := k.dir.SetTopicID(name, own); err != nil {
			return replica.Place{}, err
		}
	}
	at := k.dir.Partition(topic, partition)
	return replica.Place{
		Dir: at.Path, Clean: at.Clean, RecoveryPoint: at.RecoveryPoint, LogStart: at.LogStart, HighWatermark: at.HighWatermark,
	}, nil
}

// Dirty queues a partition at the flusher, once it is in its care.
func (k *keeper) Dirty(p *replica.Partition) {
	if e := k.entries[p]; e != nil {
		e.Dirty()
	}
}

// Forget takes a partition out of the directory's care.
func (k *keeper) Forget(p *replica.Partition) {
	if e := k.entries[p]; e != nil {
		e.Remove()
		delete(k.entries, p)
	}
}

// checkpoint writes what the next recovery may rely on.
func (l *life) checkpoint() error {
	for _, e := range l.entries {
		e.Changed()
	}
	err := l.dir.Checkpoint()
	if l.world.dead() {
		return nil
	}
	l.world.trace.add("checkpoint: %v", err)
	return l.unlessSick(err)
}

// unlessSick forgives an error of a disk that is known to have failed.
func (l *life) unlessSick(err error) error {
	if err != nil && (l.sick || errors.Is(err, errBroken)) {
		l.sick = true
		return nil
	}
	return err
}

// stop ends the life in order: logs, data directory, quorum. The next one has
// nothing to recover.
func (w *World) stop() error {
	l := w.life
	for _, f := range l.flushes { // they come to an end first
		f.group.End(f.group.Sync())
	}
	l.flushes = nil
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
