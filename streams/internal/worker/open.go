package worker

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/streams/internal/restore"
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/state"
)

// restoresAtOnce bounds the memory of restores.
const restoresAtOnce = 4

// start is where an input begins.
type start struct {
	topic      string
	next, end  int64
	committed  bool
	streamTime int64
}

// open starts the opener of these slots: it runs beside the group's session,
// while other tasks go on.
func (w *Worker) open(ctx context.Context, slots []*slot) {
	ctxs := make([]context.Context, len(slots))
	for i, s := range slots {
		ctxs[i], s.cancel = context.WithCancel(ctx)
		s.done = make(chan struct{})
	}
	w.openers.Go(func() {
		err := w.loadStarts(ctx, slots)
		var group errgroup.Group
		group.SetLimit(restoresAtOnce)
		for i, s := range slots {
			group.Go(func() error {
				if s.err = err; err == nil {
					s.err = w.openSlot(ctxs[i], s)
				}
				close(s.done)
				w.poke.now()
				return nil
			})
		}
		_ = group.Wait() // each slot has its own error
	})
}

// adopt makes tasks of the slots that are open.
func (w *Worker) adopt() error {
	opening := 0
	resume := map[string][]int32{}
	for _, s := range w.slots {
		if s.task != nil {
			continue
		}
		if s.done == nil {
			opening++
			continue
		}
		select {
		case <-s.done:
		default:
			opening++
			continue
		}
		if s.err != nil {
			return fmt.Errorf("task %s: %w", s.id, s.err)
		}
		if err := w.start(s); err != nil {
			return err
		}
		for _, at := range s.starts {
			resume[at.topic] = append(resume[at.topic], s.id.Partition)
		}
	}
	if len(resume) > 0 {
		w.client.ResumeFetchPartitions(resume)
	}
	if w.joined && opening == 0 {
		w.cfg.Ready()
	}
	return nil
}

// start builds the task.
func (w *Worker) start(s *slot) error {
	t, err := task.New(task.Config{
		ID:          s.id,
		AppID:       w.cfg.AppID,
		Sub:         s.sub,
		Overlay:     state.NewOverlay(s.db, w.cfg.StateBytes/len(w.slots)),
		Output:      w.out,
		Positions:   s.found,
		Handle:      w.cfg.Handle,
		DeadLetters: w.cfg.DeadLetters,
		MaxIdle:     w.cfg.MaxIdle,
		Counters:    w.cfg.Counters,
		Logger:      w.cfg.Logger,
	})
	if err != nil {
		return err
	}
	for _, at := range s.starts {
		t.Start(at.topic, at.next, at.end)
		t.Advance(at.streamTime)
		if !at.committed {
			// The first commit then says where an input begins, even one that
			// never has a record: progress can be read from the group alone.
			t.Touch()
		}
	}
	s.task = t
	if s.db != nil {
		var stores []string
		for _, store := range s.sub.Stores() {
			stores = append(stores, store.Name)
		}
		w.cfg.Stores.Add(s.db, stores)
	}
	w.cfg.Logger.Debug("task runs", slog.String("task", s.id.String()))
	return nil
}

// loadStarts asks for committed offsets and ends of all inputs of the slots.
func (w *Worker) loadStarts(ctx context.Context, slots []*slot) error {
	var topics []string
	seen := map[string]bool{}
	for _, s := range slots {
		for topic := range s.has {
			if !seen[topic] {
				seen[topic] = true
				topics = append(topics, topic)
			}
		}
	}
	admin := kadm.NewClient(w.cfg.Admin)
	committed, err := admin.FetchOffsets(ctx, w.cfg.AppID)
	if err != nil {
		return fmt.Errorf("committed offsets of group %s: %w", w.cfg.AppID, err)
	}
	bounds, err := cluster.ListBounds(ctx, w.cfg.Admin, cluster.Patience, topics...)
	if err != nil {
		return fmt.Errorf("inputs: %w", err)
	}
	for _, s := range slots {
		for topic := range s.has {
			in := bounds[topic][s.id.Partition]
			at := start{topic: topic, streamTime: -1, next: in.Start, end: in.End}
			if c, ok := committed.Lookup(topic, s.id.Partition); ok && c.At >= 0 {
				at.committed = true
				at.next = max(at.next, c.At)
				if ms, ok := decodeStreamTime(c.Metadata); ok {
					at.streamTime = ms
				}
			}
			s.starts = append(s.starts, at)
		}
	}
	return nil
}

// openSlot opens the task's database and restores it. On an error the database
// is closed again.
func (w *Worker) openSlot(ctx context.Context, s *slot) error {
	stores := s.sub.Stores()
	if len(stores) == 0 {
		return nil
	}
	db, err := state.Open(filepath.Join(w.cfg.Dir, s.id.String()), w.cfg.BootID, w.cfg.Cache)
	if err != nil {
		return err
	}
	if db.Origin() == state.Rebuilt || db.Origin() == state.Trimmed {
		w.cfg.Metrics.Rebuilt.Inc()
		w.cfg.Logger.Warn("state is restored from the changelog", slog.String("task", s.id.String()),
			slog.String("found", db.Origin().String()), slog.String("reason", db.Why()))
	}
	changelogs := make([]restore.Changelog, len(stores))
	for i, store := range stores {
		changelogs[i] = restore.Changelog{Store: store.Name, Topic: store.Changelog().Full(w.cfg.AppID), Partition: s.id.Partition}
	}
	r := restore.Restorer{Client: w.cfg.Admin, Logger: w.cfg.Logger, Restored: w.cfg.Metrics.restored}
	if s.found, err = r.Run(ctx, db, changelogs); err != nil {
		if closed := db.Close(); closed != nil {
			w.cfg.Logger.Error("state database did not close", slog.String("task", s.id.String()), slog.Any("error", closed))
		}
		return err
	}
	s.db = db
	return nil
}
