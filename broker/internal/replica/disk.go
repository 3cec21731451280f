package replica

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Directory is the Disk of a broker with one data directory.
type Directory struct {
	dir     *datadir.Dir
	entries sync.Map // *Partition to *datadir.Entry
}

// OnDisk keeps partitions in a data directory.
func OnDisk(dir *datadir.Dir) *Directory { return &Directory{dir: dir} }

// Place implements Disk. A directory that is another topic's, of the same
// name and deleted since, is set aside.
func (d *Directory) Place(topic string, id TopicID, partition int32) (Place, error) {
	name, want := datadir.LogName(topic, partition), metadata.UUID(id).String()
	have, err := d.dir.TopicID(name)
	if err != nil {
		return Place{}, err
	}
	if have != "" && have != want {
		if _, err := d.dir.Stray(name); err != nil {
			return Place{}, fmt.Errorf("set aside the directory of an older topic: %w", err)
		}
	}
	if have != want {
		if err := d.dir.SetTopicID(name, want); err != nil {
			return Place{}, err
		}
	}
	found := d.dir.Partition(topic, partition)
	if have != want {
		// The marks, if there are any, are those of an older topic.
		return Place{Dir: found.Path, Clean: found.Clean, HighWatermark: -1}, nil
	}
	return Place{
		Dir: found.Path, Clean: found.Clean, RecoveryPoint: found.RecoveryPoint,
		LogStart: found.LogStart, HighWatermark: found.HighWatermark,
	}, nil
}

// Dirty implements Disk.
func (d *Directory) Dirty(p *Partition) {
	if e := d.entry(p); e != nil {
		e.Dirty()
	}
}

// DirtyBy implements Disk.
func (d *Directory) DirtyBy(p *Partition, at time.Time) {
	if e := d.entry(p); e != nil {
		e.DirtyBy(at)
	}
}

// entry finds the partition in the directory. The first call takes it into the
// directory's care. An append that a deletion has overtaken must not bring it
// back there: then it is nil.
func (d *Directory) entry(p *Partition) *datadir.Entry {
	if e, ok := d.entries.Load(p); ok {
		return e.(*datadir.Entry)
	}
	entry := d.dir.Add(p)
	if e, raced := d.entries.LoadOrStore(p, entry); raced {
		entry.Remove()
		entry = e.(*datadir.Entry)
	}
	if p.deleted() {
		d.Forget(p)
		return nil
	}
	return entry
}

// Forget implements Disk. The marks of a deleted partition go with it: a topic
// that is created again under its name begins at nothing.
func (d *Directory) Forget(p *Partition) {
	e, ok := d.entries.LoadAndDelete(p)
	switch {
	case !ok:
	case p.deleted():
		e.(*datadir.Entry).Forget()
	default:
		e.(*datadir.Entry).Remove()
	}
}

func (p *Partition) deleted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Is(p.closed, ErrDeleted)
}
