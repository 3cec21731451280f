package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/state"
)

// slot is a task's place in the worker.
//
//	expecting ─ all inputs assigned ─► opening ─ restored ─► running ─► gone
//	                                      └────── revoked or lost ────────┘
type slot struct {
	id     task.ID
	sub    *topology.Subtopology
	has    map[string]bool // inputs that are assigned
	paused map[string]bool // inputs that are paused for their backlog
	db     *state.DB       // nil: no state, or not open
	task   *task.Task      // nil until it runs

	// Of the opener, which owns db and starts until it hands the slot over.
	cancel context.CancelFunc
	done   chan struct{} // closed when the opener is through with it
	starts []start
	found  map[string]state.Position
	err    error
}

// inputs are the topics that the task reads: those with such a partition.
func (w *Worker) inputs(id task.ID) []string {
	var out []string
	for topic, sub := range w.subs {
		if sub == id.Subtopology && id.Partition < w.cfg.Partitions[topic] {
			out = append(out, topic)
		}
	}
	slices.Sort(out)
	return out
}

// assigned begins to open the tasks that are complete now. Their partitions
// are paused until they run.
func (w *Worker) assigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	client.PauseFetchPartitions(added)
	var ready []*slot
	for topic, partitions := range added {
		for _, p := range partitions {
			if known := w.cfg.Partitions[topic]; p >= known {
				w.fail(fmt.Errorf("input topic %s has grown from %d partitions while running: stop all instances, then start them again", topic, known))
				return
			}
			id := task.ID{Subtopology: w.subs[topic], Partition: p}
			s := w.slots[id]
			if s == nil {
				s = &slot{id: id, sub: w.cfg.Topology.Subtopologies[id.Subtopology], has: map[string]bool{}, paused: map[string]bool{}}
				w.slots[id] = s
			}
			s.has[topic] = true
			if len(s.has) == len(w.inputs(id)) {
				ready = append(ready, s)
			}
		}
	}
	w.joined = true
	if len(ready) > 0 {
		w.open(w.life, ready)
	}
	w.poke.now()
}

// revoked commits and closes tasks that go to others.
func (w *Worker) revoked(ctx context.Context, _ *kgo.Client, removed map[string][]int32) {
	gone := w.take(removed)
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if w.failed == nil && slices.ContainsFunc(gone, func(s *slot) bool { return s.task != nil }) {
		if err := w.commit(ctx); err != nil {
			w.fail(err)
		}
	}
	w.close(gone)
}

// lost closes tasks that others have already.
func (w *Worker) lost(_ context.Context, _ *kgo.Client, removed map[string][]int32) {
	w.close(w.take(removed))
}

// take gives the slots that lose any of these partitions.
func (w *Worker) take(removed map[string][]int32) []*slot {
	var out []*slot
	for topic, partitions := range removed {
		for _, p := range partitions {
			s := w.slots[task.ID{Subtopology: w.subs[topic], Partition: p}]
			if s != nil && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// drop gives up every task without a commit.
func (w *Worker) drop() {
	var all []*slot
	for _, s := range w.slots {
		all = append(all, s)
	}
	w.close(all)
}

// close closes the databases and forgets the slots. Uncommitted state is
// dropped with the overlays.
func (w *Worker) close(slots []*slot) {
	for _, s := range slots {
		if s.cancel != nil {
			s.cancel()
			<-s.done
		}
		if s.db != nil {
			w.cfg.Stores.Remove(s.db)
			if err := s.db.Close(); err != nil {
				w.fail(fmt.Errorf("task %s: %w", s.id, err))
			}
		}
		delete(w.slots, s.id)
		w.cfg.Logger.Debug("task closed", slog.String("task", s.id.String()))
	}
}

// fail keeps the first error of a callback for the next turn.
func (w *Worker) fail(err error) {
	if w.failed == nil {
		w.failed = err
	}
	w.poke.now()
}

// leave leaves the group, which revokes all tasks and so commits and closes
// them, and waits for the openers.
func (w *Worker) leave() error {
	before := w.failed
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	w.client.AllowRebalance()
	err := w.client.LeaveGroupContext(ctx)
	w.drop()
	w.openers.Wait()
	if errors.Is(err, context.DeadlineExceeded) {
		w.cfg.Logger.Warn("the group coordinator did not answer the farewell", slog.Any("error", err))
	}
	if w.failed != before { //nolint:errorlint // whether it is another value, not of which kind it is
		return w.failed
	}
	return nil
}
