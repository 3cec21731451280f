package replica

import (
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
)

// ToHighWatermark asks DeleteRecords for everything that is committed.
const ToHighWatermark int64 = -1

// DeleteRecords makes offset the first that can be read, and returns what
// then is (KIP-107). Only what is committed may go, and only where the
// topic's policy deletes at all: a compacted topic's oldest record may be the
// newest of its key. An offset below the log's start changes nothing.
//
// It removes segments and syncs their directory.
func (p *Partition) DeleteRecords(offset int64) (logStart int64, err error) {
	if err := p.role.Load().check(-1); err != nil {
		return -1, err
	}
	p.mu.Lock()
	keeps := !p.config.Delete
	p.mu.Unlock()
	if keeps {
		return -1, fmt.Errorf("%w: cleanup.policy of %s has no delete", ErrPolicy, p.topic)
	}
	hw := p.highWatermark.Load()
	if offset == ToHighWatermark {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return -1, fmt.Errorf("%w: %d, %s holds %d to %d", ErrOffsetOutOfRange, offset, p.name(), p.log.Start(), hw)
	}
	if err := p.log.SetStart(offset); err != nil {
		if errors.Is(err, commitlog.ErrClosed) {
			return -1, ErrClosed
		}
		return -1, fmt.Errorf("%w: delete records of %s: %w", ErrStorage, p.name(), err)
	}
	p.started()
	p.deps.Disk.Dirty(p) // The checkpoint keeps the new start.
	return p.log.Start(), nil
}

// started takes over a log start that has moved: a read that is parked may
// stand below it.
func (p *Partition) started() {
	p.mu.Lock()
	woken := p.perform(p.state.Started(p.log.Start()))
	p.mu.Unlock()
	woken.Wake()
	p.visible.WakeReaders().Wake()
	p.settled.WakeReaders().Wake()
}
