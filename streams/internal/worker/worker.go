package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/streams/internal/assign"
	"github.com/millrace-io/millrace/streams/internal/query"
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/state"
)

const (
	pollRecords  = 10_000           // at most, per poll
	stepsPerLook = 512              // steps between looks at the clock
	leaveTimeout = 15 * time.Second // for the last commit and the farewell
	heartbeat    = time.Second      // how soon a member learns of a rebalance
	fetchWait    = 500 * time.Millisecond
)

// Config is what a worker is made of. All fields are needed unless they say
// otherwise.
type Config struct {
	Cluster cluster.Profile
	// Admin is a client of no group, for offsets and restores. It is shared
	// and outlives the worker.
	Admin    *kgo.Client
	AppID    string
	Topology *topology.Topology
	// Partitions are the counts of all inputs, internal ones included, by
	// full name, as they were when the application started.
	Partitions map[string]int32
	Balancer   *assign.Balancer
	// Dir has a directory for each task with state.
	Dir    string
	BootID string
	Cache  *state.Cache
	// CommitInterval is the time between commits while there is something to
	// commit; StateBytes forces an earlier one.
	CommitInterval time.Duration
	StateBytes     int
	// MaxIdle is how long an empty input is waited for when it is caught up.
	MaxIdle        time.Duration
	SessionTimeout time.Duration
	Handle         func(*topology.Fault) topology.Action
	DeadLetters    string // may be empty
	Counters       *task.Counters
	Stores         *query.Stores // for queries from outside
	Metrics        *Metrics
	Logger         *slog.Logger
	// Ready is called when every task of an assignment runs.
	Ready func()
}

// Worker runs tasks. Its Run owns every goroutine.
type Worker struct {
	cfg     Config
	client  *kgo.Client
	out     *producer
	life    context.Context // ends when Run begins to leave
	subs    map[string]int  // topic to subtopology
	slots   map[task.ID]*slot
	openers sync.WaitGroup
	commits time.Time // when the next commit is due
	failed  error     // from a rebalance's callback
	joined  bool
	poke    poker
}

// New makes a worker. Nothing is contacted.
func New(cfg Config) *Worker {
	w := &Worker{cfg: cfg, subs: map[string]int{}, slots: map[task.ID]*slot{}}
	for _, sub := range cfg.Topology.Subtopologies {
		for _, n := range sub.Sources() {
			w.subs[n.Topic.Full(cfg.AppID)] = sub.ID
		}
	}
	return w
}

// options are those of the worker's client.
func (w *Worker) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(w.cfg.AppID),
		kgo.ConsumeTopics(slices.Sorted(maps.Keys(w.subs))...),
		kgo.Balancers(w.cfg.Balancer),
		kgo.SessionTimeout(w.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(heartbeat, w.cfg.SessionTimeout/3)),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(w.assigned),
		kgo.OnPartitionsRevoked(w.revoked),
		kgo.OnPartitionsLost(w.lost),
		// Without a committed offset all input counts, also what was written
		// before the first start.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A marker at a partition's end takes an offset: it must be passed over
		// for the input to count as read.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(16 << 20),
		// A partition that is resumed joins the next fetch: the one on its way
		// may wait for so long.
		kgo.FetchMaxWait(fetchWait),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		kgo.MaxBufferedRecords(50_000),
		kgo.AllowAutoTopicCreation(),
	}
}

// Run works until ctx ends, then commits and leaves the group. It returns nil
// then, or the error for which it had to stop.
func (w *Worker) Run(ctx context.Context) (err error) {
	life, end := context.WithCancel(ctx)
	defer end()
	w.life = life
	// Records may still be written for the last commit, but not for ever.
	emit, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(leaveTimeout, stop) })()

	// The client joins the group as soon as it is made, so the callbacks of
	// rebalances come from here on.
	if w.client, err = w.cfg.Cluster.Client(w.options()...); err != nil {
		return err
	}
	defer w.client.Close()
	w.out = &producer{ctx: emit, client: w.client}

	err = w.work(ctx)
	end()
	if err != nil {
		w.drop() // nothing of this interval may be committed
	}
	return errors.Join(err, w.leave())
}

// forEver is a wait without a deadline.
const forEver time.Duration = -1

// work turns until ctx ends or something fails.
func (w *Worker) work(ctx context.Context) error {
	w.commits = time.Now().Add(w.cfg.CommitInterval)
	wait := forEver
	for {
		fetches := w.poll(ctx, wait)
		if ctx.Err() != nil {
			return nil
		}
		busy, err := w.turn(ctx, fetches)
		if err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return nil
			}
			return err
		}
		wait = w.patience(busy)
		w.client.AllowRebalance() // from here to the next poll's return no task may be touched
	}
}

// patience is how long the next poll may wait for records.
func (w *Worker) patience(busy bool) time.Duration {
	switch {
	case busy:
		return time.Millisecond // to take what is there, and to let a rebalance in
	case w.dirty():
		return max(time.Until(w.commits), 0)
	case w.buffered() && w.cfg.MaxIdle > 0:
		return w.cfg.MaxIdle
	case w.buffered():
		return time.Second // records wait for other inputs, but not for ever
	default:
		return forEver
	}
}

// poll waits for records, or until there is something else to do.
func (w *Worker) poll(ctx context.Context, wait time.Duration) kgo.Fetches {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.poke.arm(cancel)
	if wait != forEver {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, wait)
		defer done()
	}
	return w.client.PollRecords(ctx, pollRecords)
}

// turn does everything that touches tasks. It tells whether records are left
// that could be processed.
func (w *Worker) turn(ctx context.Context, fetches kgo.Fetches) (busy bool, err error) {
	if w.failed != nil {
		return false, w.failed
	}
	if err := w.adopt(); err != nil {
		return false, err
	}
	if err := w.feed(fetches); err != nil {
		return false, err
	}
	if busy, err = w.step(); err != nil {
		return false, err
	}
	if err := w.out.err(); err != nil {
		return false, err
	}
	w.throttle()
	if w.due(time.Now()) {
		if err := w.commit(ctx); err != nil {
			return false, err
		}
	}
	return busy, nil
}

// step processes what can be, until a commit is due.
func (w *Worker) step() (busy bool, err error) {
	for _, s := range w.slots {
		if s.task == nil {
			continue
		}
		n := 0
		for {
			now := time.Now()
			if w.due(now) && n > 0 {
				w.cfg.Metrics.processed(s.id.Subtopology, n)
				return true, nil
			}
			more := true
			for i := 0; more && i < stepsPerLook; i++ {
				if more, err = s.task.Step(now); err != nil {
					return false, w.broken(s, err)
				}
				if more {
					n++
				}
			}
			if !more {
				break
			}
		}
		w.cfg.Metrics.processed(s.id.Subtopology, n)
	}
	return false, nil
}

// broken gives a task's error its name. A damaged database is removed: the
// next start rebuilds it.
func (w *Worker) broken(s *slot, err error) error {
	if s.db != nil && errors.Is(err, state.ErrCorrupt) {
		w.cfg.Stores.Remove(s.db)
		destroyed := s.db.Destroy()
		s.db = nil
		w.cfg.Metrics.Rebuilt.Inc()
		return errors.Join(fmt.Errorf("task %s: %w; its directory is removed and will be restored from the changelog", s.id, err), destroyed)
	}
	return fmt.Errorf("task %s: %w", s.id, err)
}

func (w *Worker) dirty() bool {
	for _, s := range w.slots {
		if s.task != nil && s.task.Dirty() {
			return true
		}
	}
	return false
}

func (w *Worker) buffered() bool {
	for _, s := range w.slots {
		if s.task == nil {
			continue
		}
		for _, topic := range s.task.Topics() {
			if s.task.Buffered(topic) > 0 {
				return true
			}
		}
	}
	return false
}

// poker ends a poll that has begun or is about to.
type poker struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	poked  bool
}

func (p *poker) arm(cancel context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancel = cancel
	if p.poked {
		p.poked = false
		cancel()
	}
}

func (p *poker) now() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poked = true
	if p.cancel != nil {
		p.cancel()
	}
}
