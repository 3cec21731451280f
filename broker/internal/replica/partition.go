package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/millrace-io/millrace/broker/internal/commitlog"
	"github.com/millrace-io/millrace/broker/internal/producerstate"
	"github.com/millrace-io/millrace/broker/internal/wait"
	"github.com/millrace-io/millrace/internal/record"
)

// TopicID is a topic's id in the metadata log.
type TopicID [16]byte

// Partition is this broker's replica of one partition: a [State], the log,
// the producers and who waits for the high watermark.
type Partition struct {
	topic  string
	id     TopicID
	index  int32
	deps   Deps
	logger *slog.Logger

	queue   queue
	visible wait.Queue // at the high watermark
	settled wait.Queue // at the last stable offset

	// mu guards what follows. It is held over the append's own write and over
	// no other I/O but the snapshot of a roll.
	mu        sync.Mutex
	log       *commitlog.Log // set once, at open
	state     State
	config    Config
	producers *producerstate.State
	marks     marks
	bytes     int64 // appended since the log was opened
	closed    error // why nothing can be appended any more
	// Of the drain under way; kept for reuse.
	drained []*pending
	batches []record.Batch
	aborts  []commitlog.AbortedTxn
	writing time.Time // the drain's now
	stamped int64     // the last LogAppendTime, which never goes back
	asked   int64     // the log's end when pagecache last asked for a flush

	// rolledAt is where a segment began for which the producers' state is yet
	// to be saved; 0 for none. The log sets it under its own lock.
	rolledAt atomic.Int64

	// oldest is when pagecache has appended the first record that no flush has
	// captured, in nanoseconds; 0 for none.
	oldest atomic.Int64

	// rules are what appends must look into batches for; nil for nothing.
	rules atomic.Pointer[rules]

	// What readers see without a lock.
	role          atomic.Pointer[role]
	highWatermark atomic.Int64
	visibleBytes  atomic.Int64 // below the high watermark; stored after it
	counts        counts
	lastStable    atomic.Int64 // stored after the high watermark
	stableBytes   atomic.Int64 // below the last stable offset; stored after it
}

// role is what readers need to know of the leadership, as one.
type role struct {
	leads      bool
	leader     int32
	epoch      int32
	epochStart int64
	gone       error // why nothing is read any more; nil while it lives
}

// check refuses a reader whom this replica does not serve.
func (r *role) check(currentEpoch int32) error {
	if r.gone != nil {
		return r.gone
	}
	return checkEpoch(r.leads, r.epoch, currentEpoch)
}

// Topic is the topic's name.
func (p *Partition) Topic() string { return p.topic }

// TopicID is the topic's id.
func (p *Partition) TopicID() TopicID { return p.id }

// Index is the partition's number in its topic.
func (p *Partition) Index() int32 { return p.index }

func (p *Partition) name() string { return p.topic + "-" + strconv.Itoa(int(p.index)) }

// Leader is the broker that leads the partition, NoLeader for none, and the
// epoch in which it does.
func (p *Partition) Leader() (id, epoch int32) {
	r := p.role.Load()
	return r.leader, r.epoch
}

// Leads reports whether this replica is the leader.
func (p *Partition) Leads() bool { return p.role.Load().leads }

// HighWatermark is the offset below which everything is committed.
func (p *Partition) HighWatermark() int64 { return p.highWatermark.Load() }

// LogStart is the first offset that can be read.
func (p *Partition) LogStart() int64 { return p.log.Start() }

// LogEnd is the offset that the next record gets.
func (p *Partition) LogEnd() int64 { return p.log.End() }

// Size is how many bytes the log holds, and Segments how many files.
func (p *Partition) Size() int64 { return p.log.Size() }

// Segments is the number of the log's segments.
func (p *Partition) Segments() int { return p.log.Segments() }

// Recovery tells what opening the log has found.
func (p *Partition) Recovery() commitlog.Recovery { return p.log.Recovery() }

// Log gives the log itself to who copies whole batches out of it, such as a
// coordinator that loads its state. Appends go through Append only.
func (p *Partition) Log() *commitlog.Log { return p.log }

// Producers is how many idempotent producers are remembered.
func (p *Partition) Producers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.producers.Len()
}

// Assign takes over what the metadata log says about who leads.
func (p *Partition) Assign(l Leadership) {
	p.mu.Lock()
	if p.closed != nil {
		p.mu.Unlock()
		return
	}
	effects := p.state.Assign(l)
	woken := p.perform(effects)
	p.mu.Unlock()
	if effects.Leads {
		p.deps.Disk.Dirty(p) // what was inherited counts once it is flushed
	}
	woken.Wake()
	if effects.Leads || effects.Resigned {
		p.logger.Info("leadership changed", "partition", p.name(), "leader", l.Leader, "epoch", l.LeaderEpoch)
	}
}

// Configure takes over a topic's configuration.
func (p *Partition) Configure(c Config) {
	p.mu.Lock()
	p.config = c
	p.rules.Store(rulesOf(p.topic, &c))
	p.log.SetConfig(c.Log)
	woken := p.perform(p.state.Configure(!c.PageCache, c.MinISR))
	p.mu.Unlock()
	if !c.PageCache {
		p.deps.Disk.Dirty(p) // what was written under pagecache
	} else if due, ok := p.FlushDue(); ok {
		p.deps.Disk.DirtyBy(p, due)
	}
	woken.Wake()
}

// perform carries the effects of an event out. The caller holds mu, and wakes
// whom it returns after giving it up.
//
// Who is told by a queue reads at once, so what it reads is stored before.
func (p *Partition) perform(e Effects) (woken wait.Woken) {
	at := p.state.Positions()
	p.highWatermark.Store(at.HighWatermark)
	bytes := p.marks.below(at.HighWatermark)
	p.visibleBytes.Store(bytes)
	stable, stableBytes := p.stable(at, bytes)
	p.lastStable.Store(stable)
	p.stableBytes.Store(stableBytes)
	l := p.state.Leadership()
	if e.Leads {
		p.log.BeginEpoch(l.LeaderEpoch)
	}
	if r := p.role.Load(); r == nil || e.Leads || r.leader != l.Leader || r.epoch != l.LeaderEpoch {
		p.role.Store(&role{leads: p.state.Role() == Leader, leader: l.Leader, epoch: l.LeaderEpoch, epochStart: p.state.EpochStart()})
	}
	if e.Resigned {
		woken.Join(p.visible.Fail(ErrNotLeader))
		woken.Join(p.settled.Fail(ErrNotLeader))
	}
	if e.Leads {
		woken.Join(p.visible.Open(l.LeaderEpoch, at.HighWatermark, bytes))
		woken.Join(p.settled.Open(l.LeaderEpoch, stable, stableBytes))
	}
	if e.Raised {
		woken.Join(p.visible.Advance(at.HighWatermark, bytes))
		woken.Join(p.settled.Advance(stable, stableBytes))
	}
	return woken
}

// stop ends appends and waits for good.
func (p *Partition) stop(why error) {
	p.mu.Lock()
	if p.closed == nil {
		p.closed = why
	}
	// Readers learn it before they are woken, though the log is still open. A
	// disk that fails does not end reads.
	if r := p.role.Load(); r != nil && !errors.Is(why, ErrStorage) {
		gone := *r
		gone.gone = why
		p.role.Store(&gone)
	}
	woken := p.visible.Fail(why)
	woken.Join(p.settled.Fail(why))
	p.mu.Unlock()
	woken.Wake()
}

// String names the partition with its role and positions.
func (p *Partition) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, l := p.state.Positions(), p.state.Leadership()
	return fmt.Sprintf("%s: %v epoch %d start %d hw %d flushed %d end %d",
		p.name(), p.state.Role(), l.LeaderEpoch, at.Start, at.HighWatermark, at.Flushed, at.End)
}
