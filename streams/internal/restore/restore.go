package restore

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/streams/state"
)

// Changelog is the partition that a store is restored from.
type Changelog struct {
	Store     string
	Topic     string
	Partition int32
}

// Mismatch is why a store's position does not continue its changelog.
type Mismatch string

// The ways a changelog can have left its store behind.
const (
	Recreated Mismatch = "the changelog was deleted and created again"
	Truncated Mismatch = "the changelog begins after the store's position"
	Shorter   Mismatch = "the changelog ends before the store's position"
)

// bounds are what a changelog partition holds when the restore begins.
type bounds struct {
	id         [16]byte
	start, end int64
}

// Restorer restores tasks. It is safe for concurrent use.
type Restorer struct {
	Client *kgo.Client
	Logger *slog.Logger
	// Restored counts changelog records that were applied.
	Restored func(n int)
}

// Run brings every store of db up to its changelog, and gives their positions.
func (r *Restorer) Run(ctx context.Context, db *state.DB, changelogs []Changelog) (map[string]state.Position, error) {
	if len(changelogs) == 0 {
		return nil, nil
	}
	known, err := r.bounds(ctx, changelogs)
	if err != nil {
		return nil, err
	}
	from, err := r.begin(db, changelogs, known)
	if err != nil {
		return nil, err
	}
	positions := make(map[string]state.Position, len(changelogs))
	for _, c := range changelogs {
		p := state.Position{TopicID: known[c].id, Offset: from[c]}
		if p.Offset, err = r.replay(ctx, db, c, p, known[c].end); err != nil {
			return nil, fmt.Errorf("restore store %s from topic %s partition %d: %w", c.Store, c.Topic, c.Partition, err)
		}
		positions[c.Store] = p
	}
	return positions, nil
}

// bounds asks for the id, the start and the last stable offset of each.
func (r *Restorer) bounds(ctx context.Context, changelogs []Changelog) (map[Changelog]bounds, error) {
	topics := make([]string, len(changelogs))
	for i, c := range changelogs {
		topics[i] = c.Topic
	}
	held, err := cluster.ListBounds(ctx, r.Client, cluster.Patience, topics...)
	if err != nil {
		return nil, fmt.Errorf("changelogs: %w", err)
	}
	details, err := kadm.NewClient(r.Client).ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("changelogs: %w", err)
	}
	out := make(map[Changelog]bounds, len(changelogs))
	for _, c := range changelogs {
		in, ok := held[c.Topic][c.Partition]
		if !ok {
			return nil, fmt.Errorf("changelog topic %s has no partition %d", c.Topic, c.Partition)
		}
		out[c] = bounds{id: details[c.Topic].ID, start: in.Start, end: in.End}
	}
	return out, nil
}

// begin says where to read each changelog from. If any store cannot be
// continued the whole database is begun anew: its stores were written together
// and stay together.
func (r *Restorer) begin(db *state.DB, changelogs []Changelog, known map[Changelog]bounds) (map[Changelog]int64, error) {
	from := make(map[Changelog]int64, len(changelogs))
	reset := false
	for _, c := range changelogs {
		b := known[c]
		p, ok, err := db.Position(c.Store)
		if err != nil {
			return nil, err
		}
		from[c] = p.Offset
		if !ok {
			from[c] = b.start
			continue
		}
		if why := mismatch(p, b); why != "" {
			reset = true
			r.Logger.Warn("store does not continue its changelog and is rebuilt",
				slog.String("store", c.Store), slog.String("topic", c.Topic), slog.Int64("partition", int64(c.Partition)),
				slog.String("reason", string(why)), slog.Int64("position", p.Offset),
				slog.Int64("log_start", b.start), slog.Int64("log_end", b.end))
		}
	}
	if !reset {
		return from, nil
	}
	if err := db.Reset(); err != nil {
		return nil, err
	}
	for _, c := range changelogs {
		from[c] = known[c].start
	}
	return from, nil
}

func mismatch(p state.Position, b bounds) Mismatch {
	switch {
	case p.TopicID != b.id && p.TopicID != [16]byte{} && b.id != [16]byte{}:
		return Recreated
	case p.Offset < b.start:
		return Truncated
	case p.Offset > b.end:
		return Shorter
	default:
		return ""
	}
}

// progressEvery is how often a long restore says how far it is.
const progressEvery = 10 * time.Second

// replay applies the changelog from p up to the target, and gives the position
// it reached.
func (r *Restorer) replay(ctx context.Context, db *state.DB, c Changelog, p state.Position, target int64) (int64, error) {
	loader, err := db.Loader(c.Store)
	if err != nil {
		return 0, err
	}
	begun, said, applied := time.Now(), time.Now(), 0
	log := r.Logger.With(slog.String("store", c.Store), slog.Int64("partition", int64(c.Partition)))
	reader := cluster.Reader{Client: r.Client, Topic: c.Topic, TopicID: p.TopicID, Partition: c.Partition}
	for p.Offset < target {
		records, position, err := reader.Next(ctx, p.Offset, target)
		if err != nil {
			return 0, err
		}
		for _, record := range records {
			loader.Put(record.Key, record.Value, record.Timestamp.UnixMilli())
		}
		applied += len(records)
		r.Restored(len(records))
		p.Offset = position
		if err := loader.Reached(p); err != nil {
			return 0, err
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			log.Info("restoring", slog.Int64("position", p.Offset), slog.Int64("target", target))
		}
	}
	if err := loader.Flush(p); err != nil {
		return 0, err
	}
	if applied > 0 {
		log.Info("restored", slog.Int("records", applied), slog.Duration("took", time.Since(begun)))
	}
	return p.Offset, nil
}
