package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/lovoo/goka/storage"
	"golang.org/x/sync/errgroup"
)

const (
	clicks goka.Stream = "example-clicks"
	group  goka.Group  = "example-click-counter"
)

// count adds one to the user's counter in the group table.
func count(ctx goka.Context, _ any) {
	n, _ := ctx.Value().(int64) // nil before the first click
	ctx.SetValue(n + 1)
}

// counter is the processor and a view of its table, both running.
type counter struct {
	view   *goka.View
	cancel context.CancelFunc
	run    *errgroup.Group
	done   <-chan struct{} // closed when either has ended
}

// createTopic makes the input topic; goka makes its table's by itself.
func createTopic(brokers []string) error {
	tm, err := goka.NewTopicManager(brokers, goka.DefaultConfig(), goka.NewTopicManagerConfig())
	if err != nil {
		return err
	}
	return errors.Join(tm.EnsureStreamExists(string(clicks), 2), tm.Close())
}

// start runs the processor and the view until stop, and waits for both to have
// recovered.
func start(ctx context.Context, brokers []string, dir string) (*counter, error) {
	processor, err := goka.NewProcessor(brokers, goka.DefineGroup(group,
		goka.Input(clicks, new(codec.String), count),
		goka.Persist(new(codec.Int64)),
	), goka.WithStorageBuilder(storage.DefaultBuilder(filepath.Join(dir, "processor"))))
	if err != nil {
		return nil, fmt.Errorf("processor: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	run, running := errgroup.WithContext(ctx)
	c := &counter{cancel: cancel, run: run, done: running.Done()}
	run.Go(func() error { return processor.Run(running) })
	if err := processor.WaitForReadyContext(running); err != nil {
		return nil, errors.Join(fmt.Errorf("processor: %w", err), c.stop())
	}
	// The view wants the table's topic, which the processor has made.
	if c.view, err = goka.NewView(brokers, goka.GroupTable(group), new(codec.Int64),
		goka.WithViewStorageBuilder(storage.DefaultBuilder(filepath.Join(dir, "view")))); err != nil {
		return nil, errors.Join(fmt.Errorf("view: %w", err), c.stop())
	}
	run.Go(func() error { return c.view.Run(running) })
	if err := c.recovered(running); err != nil {
		return nil, errors.Join(fmt.Errorf("view: %w", err), c.stop())
	}
	return c, nil
}

// recovered waits until the view has read what its table held.
func (c *counter) recovered(ctx context.Context) error {
	return poll(ctx, func() (bool, error) { return c.view.Recovered(), nil })
}

// counts gives the whole table.
func (c *counter) counts() (map[string]int64, error) {
	it, err := c.view.Iterator()
	if err != nil {
		return nil, fmt.Errorf("view: %w", err)
	}
	defer it.Release()
	table := map[string]int64{}
	for it.Next() {
		n, err := it.Value()
		if err != nil {
			return nil, fmt.Errorf("view: %s: %w", it.Key(), err)
		}
		table[it.Key()], _ = n.(int64)
	}
	return table, it.Err()
}

// until waits until the view shows at least these counts.
func (c *counter) until(ctx context.Context, want map[string]int64) (got map[string]int64, err error) {
	err = poll(ctx, func() (bool, error) {
		select {
		case <-c.done:
			return false, errors.New("the processor or the view has stopped")
		default:
		}
		if got, err = c.counts(); err != nil {
			return false, err
		}
		for user, n := range want {
			if got[user] < n {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for %v, have %v: %w", want, got, err)
	}
	return got, nil
}

// stop ends the processor and the view, and waits for them.
func (c *counter) stop() error {
	c.cancel()
	return c.run.Wait()
}

// emit writes each user's clicks.
func emit(brokers []string, perUser map[string]int64) error {
	emitter, err := goka.NewEmitter(brokers, clicks, new(codec.String))
	if err != nil {
		return err
	}
	for user, n := range perUser {
		for range n {
			if err := emitter.EmitSync(user, "click"); err != nil {
				return errors.Join(err, emitter.Finish())
			}
		}
	}
	return emitter.Finish()
}

// poll asks until the answer is yes.
func poll(ctx context.Context, met func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := met(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
