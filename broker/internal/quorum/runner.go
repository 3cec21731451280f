package quorum

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// Runner drives a Node: one goroutine, [Runner.Run], takes proposals from a
// serial queue, flushes, applies and publishes. Proposals that wait together
// share a flush.
type Runner struct {
	node      *Node
	publisher *metadata.Publisher
	queue     chan *proposal
	active    chan struct{} // closed once this node is the active controller
	stopped   chan struct{} // closed when Run ends
	err       error         // why; set before stopped is closed
}

// proposal waits in the queue, then for its entry.
type proposal struct {
	build func(*metadata.Image) []metadata.Record
	index uint64
	done  chan error
}

// mostAtOnce bounds how many proposals share a flush.
const mostAtOnce = 64

// NewRunner makes the shell of a node. The publisher gets the image
// that the start ends with, and then every change.
func NewRunner(node *Node, publisher *metadata.Publisher) *Runner {
	return &Runner{
		node: node, publisher: publisher,
		queue: make(chan *proposal, mostAtOnce), active: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// Active is closed once this node is the active controller and has published
// everything that was committed before.
func (r *Runner) Active() <-chan struct{} { return r.active }

// Run campaigns and works until the context ends, which gives nil, or the
// node fails. It closes the node. Nothing is published after it returns.
func (r *Runner) Run(ctx context.Context) error {
	err := r.run(ctx)
	r.err = ErrStopped
	if err != nil {
		r.err = fmt.Errorf("%w: %w", ErrStopped, err)
	}
	close(r.stopped)
	if closed := r.node.Close(); err == nil {
		err = closed
	}
	return err
}

func (r *Runner) run(ctx context.Context) error {
	if err := r.lead(); err != nil {
		return err
	}
	if err := r.publishLoaded(); err != nil {
		return err
	}
	close(r.active)
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-r.queue:
			if err := r.round(p); err != nil {
				return err
			}
		}
	}
}

// lead wins the election and applies what the log holds behind the snapshot.
func (r *Runner) lead() error {
	if err := r.node.Campaign(); err != nil {
		return err
	}
	for r.node.HasWork() {
		if _, err := r.step(); err != nil {
			return err
		}
	}
	if !r.node.Active() {
		return fmt.Errorf("%w: a sole voter did not win its own election", ErrNotController)
	}
	return nil
}

// publishLoaded publishes the image that a start ends with, as one change
// from nothing. Going through the log's entries one by one would show
// subscribers topics that are long deleted.
func (r *Runner) publishLoaded() error {
	loaded := r.node.Image()
	d := (&metadata.Image{}).Edit(loaded.Index(), loaded.Epoch())
	for rec := range loaded.Records() {
		if err := d.Apply(rec); err != nil {
			return fmt.Errorf("an image's own records do not make it again: %w", err)
		}
	}
	r.publisher.Publish(d, d.Finish())
	return nil
}

// round takes a proposal and those that wait behind it through to their ends.
func (r *Runner) round(first *proposal) error {
	waiting := r.propose(nil, first)
	for len(waiting) < mostAtOnce {
		select {
		case p := <-r.queue:
			waiting = r.propose(waiting, p)
			continue
		default:
		}
		break
	}
	return r.work(waiting)
}

// propose evaluates a proposal and puts it to those that wait, or ends it.
func (r *Runner) propose(waiting []*proposal, p *proposal) []*proposal {
	index, err := r.node.Propose(p.build)
	if err != nil {
		p.done <- err
		return waiting
	}
	p.index = index
	return append(waiting, p)
}

// work steps the node until nothing is left to do, and wakes those whose
// entries are published. Their indexes ascend.
func (r *Runner) work(waiting []*proposal) error {
	for r.node.HasWork() {
		applied, err := r.step()
		for _, a := range applied {
			r.publisher.Publish(a.Delta, a.Image)
		}
		if err != nil {
			return err
		}
	}
	for _, p := range waiting {
		if p.index > r.node.Image().Index() {
			p.done <- ErrNotController
			continue
		}
		p.done <- nil
	}
	if now := time.Now(); r.node.SnapshotDue(now) {
		return r.node.Snapshot(now)
	}
	return nil
}

func (r *Runner) step() ([]Applied, error) {
	if err := r.node.Begin(time.Now()); err != nil {
		return nil, err
	}
	if r.node.NeedsFlush() {
		if err := r.node.Log().Flush(); err != nil {
			return nil, err
		}
	}
	return r.node.End()
}

// Propose lets build decide upon the speculative image, in the serial queue,
// and returns its result once the records are applied on this node and every
// subscriber has seen them. build must be pure; it runs on another goroutine.
//
// An error after the records were proposed (the context's, [ErrStopped] or
// [ErrNotController]) leaves open whether they come to be.
func Propose[T any](ctx context.Context, r *Runner, build func(*metadata.Image) ([]metadata.Record, T)) (T, error) {
	var result, none T
	p := &proposal{done: make(chan error, 1), build: func(i *metadata.Image) (records []metadata.Record) {
		records, result = build(i)
		return records
	}}
	select {
	case r.queue <- p:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-r.stopped:
		return none, r.err
	}
	var err error
	select {
	case err = <-p.done:
	case <-ctx.Done():
		return none, ctx.Err()
	case <-r.stopped:
		// It may have been answered just before the end.
		select {
		case err = <-p.done:
		default:
			return none, r.err
		}
	}
	if err != nil {
		return none, err
	}
	return result, nil
}
