package replica

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/internal/vfs"
)

// Deps is what all partitions of a broker share.
type Deps struct {
	Broker int32 // this broker's id
	FS     vfs.FS
	Files  *vfs.FileCache
	Disk   Disk
	// Now is the clock: time.Now, or a simulation's.
	Now func() time.Time
	// ProducerExpiry is producer.id.expiration.ms.
	ProducerExpiry time.Duration
	Logger         *slog.Logger
	// Parallel is how many logs are opened or closed at a time; 0 means as
	// many as there are processors.
	Parallel int
}

// Disk is the data directory as partitions need it.
type Disk interface {
	// Place finds or makes the directory of a partition's log.
	Place(topic string, id TopicID, partition int32) (Place, error)
	// Dirty asks for a flush of a partition. It is called without locks, also
	// while a flush of the partition runs, and does not block.
	Dirty(p *Partition)
	// DirtyBy asks for a flush that need not begin before a time, and only if
	// FlushDue says so then. Else it is as Dirty.
	DirtyBy(p *Partition, at time.Time)
	// Forget ends flushes, checkpoints and retention of a partition, and waits
	// for those that run.
	Forget(p *Partition)
}

// Place is where a partition's log lies and what the data directory's
// checkpoints say about it.
type Place struct {
	Dir string
	// Clean: the broker was stopped in order.
	Clean         bool
	RecoveryPoint int64
	LogStart      int64
	HighWatermark int64
}

// Assignment is a replica that this broker holds.
type Assignment struct {
	Topic      string
	TopicID    TopicID
	Partition  int32
	Config     Config
	Leadership Leadership
}

// Open opens the replica's log in its place, creating it where there is none, and rebuilds
// what is derived from it. The replica serves nothing until Assign.
func Open(deps Deps, a Assignment, at Place) (*Partition, error) {
	p := &Partition{
		topic: a.Topic, id: a.TopicID, index: a.Partition,
		deps: deps, logger: deps.Logger, config: a.Config,
		producers: producerstate.New(deps.ProducerExpiry),
	}
	p.rules.Store(rulesOf(a.Topic, &a.Config))
	log, err := commitlog.Open(deps.FS, at.Dir, a.Config.Log, commitlog.OpenOptions{
		Clean: at.Clean, RecoveryPoint: at.RecoveryPoint, LogStart: at.LogStart,
		Rolled: p.rolledAt.Store, Removed: p.removeSnapshot,
		Pagecache: a.Config.PageCache, Files: deps.Files, Logger: deps.Logger,
	})
	if err != nil {
		return nil, err
	}
	p.log = log
	if err := p.rebuildProducers(); err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("producers of %s: %w", p.name(), err)
	}
	p.state = NewState(deps.Broker, !a.Config.PageCache, a.Config.MinISR, Positions{
		Start: log.Start(), End: log.End(), Flushed: log.Flushed(), HighWatermark: at.HighWatermark,
	})
	p.perform(Effects{})
	return p, nil
}
