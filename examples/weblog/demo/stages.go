package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A stage of the pipeline, and how far it is: done of all. What all is, is
// read after the stage before was over, so no stage can be over too early.
type stage struct {
	name     string
	progress func(ctx context.Context) (done, all int64, err error)
}

// await watches the stages one after the other.
func (p *pipeline) await(ctx context.Context, out io.Writer, lines int64) error {
	stages := []stage{
		{"the log is in topic access", func(ctx context.Context) (int64, int64, error) {
			n, err := end(ctx, p.here, p.topics.Access)
			return n, lines, err
		}},
		{"the application has processed its inputs", p.processed},
		{"the counts are in files", p.sunk},
		{"the requests are in the second cluster", p.mirrored},
	}
	for _, s := range stages {
		if err := p.awaitStage(ctx, out, s); err != nil {
			return err
		}
	}
	return nil
}

func (p *pipeline) awaitStage(ctx context.Context, out io.Writer, s stage) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, all, err := s.progress(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("gave up after %s: %s: %d of %d", p.since(), s.name, done, all)
		case err != nil:
			return fmt.Errorf("%s: %w", s.name, err)
		case done == all:
			_, err := fmt.Fprintf(out, "%8s  %s\n", p.since(), s.name)
			return err
		case done > all:
			return fmt.Errorf("%s: %d of %d, which is too many", s.name, done, all)
		}
		select {
		case err := <-p.appEnd:
			p.appEnd <- nil
			return fmt.Errorf("%s: the application ended: %w", s.name, err)
		case err := <-p.node.Failed():
			return fmt.Errorf("%s: %w", s.name, err)
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// end is the number of records that a topic has ever held.
func end(ctx context.Context, admin *kadm.Client, topic string) (int64, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		return 0, err
	}
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, nil
}

// processed is over when the application's committed offsets are at the ends
// of its inputs and of the repartition topics between its parts.
func (p *pipeline) processed(ctx context.Context) (done, all int64, err error) {
	select {
	case <-p.app.Ready():
	default:
		return -1, 0, nil // its internal topics may not be there yet
	}
	lag, err := p.app.Lag(ctx)
	return -lag, 0, err
}

// sunk is over when the sink has committed, and so flushed, all counts.
func (p *pipeline) sunk(ctx context.Context) (done, all int64, err error) {
	offsets, err := p.here.FetchOffsets(ctx, countName+p.prefix+sinkName)
	if err != nil {
		return 0, 1, nil //nolint:nilerr // the group is there once the sink has joined
	}
	for _, topic := range []string{p.topics.ByStatus, p.topics.ByPath, p.topics.ByHour} {
		n, err := end(ctx, p.here, topic)
		if err != nil {
			return 0, 0, err
		}
		all += n
	}
	offsets.Each(func(o kadm.OffsetResponse) { done += max(0, o.At) })
	return done, all, nil
}

func (p *pipeline) mirrored(ctx context.Context) (done, all int64, err error) {
	if all, err = end(ctx, p.here, p.topics.Requests); err != nil {
		return 0, 0, err
	}
	done, err = end(ctx, p.there, p.topics.Requests)
	return done, all, err
}
