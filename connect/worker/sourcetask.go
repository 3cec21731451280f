package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/millrace-io/millrace/connect"
)

const (
	batchRecords = 1000
	batchBytes   = 1 << 20
	// recordOverhead is what a buffered record costs beside its bytes.
	recordOverhead = 512
	// idleCommit is how soon positions are stored once nothing is on its way,
	// so that a kill repeats little.
	idleCommit = 500 * time.Millisecond
)

// sourceTask moves what a SourceTask reads into topics:
//
//	Read ─ convert ─ prefix.add ─ produce ─ acked ─ prefix.ack
//	                                                   └ every interval: offset record, then Committed
type sourceTask struct {
	worker  *Worker
	config  *connect.Config
	id      taskID
	task    connect.SourceTask
	convert converters
	log     *slog.Logger

	client *kgo.Client
	topics *topicMaker
	memory *semaphore.Weighted

	mu     sync.Mutex
	prefix *prefix

	committing sync.Mutex // one commit at a time; before mu
}

func (t *sourceTask) run(ctx context.Context) error {
	w := t.worker
	// What an earlier run of this task wrote must be seen before Open asks.
	if err := w.offsets.log.readToEnd(ctx); err != nil {
		return fmt.Errorf("read offsets: %w", err)
	}
	client, err := w.config.Cluster.Client(
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(math.MaxInt32), kgo.UnknownTopicRetries(20),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	t.client, t.topics, t.prefix = client, newTopicMaker(client, t.config.Create, t.log), newPrefix()
	t.memory = semaphore.NewWeighted(w.config.TaskMemory)
	if err := t.task.Open(ctx, taskContext{worker: w, id: t.id, log: t.log}); err != nil {
		return errors.Join(err, t.close(ctx))
	}
	group, running := errgroup.WithContext(ctx)
	fail := make(chan error, 1)
	group.Go(func() error { return t.read(running, fail) })
	group.Go(func() error { return t.commitEvery(running) })
	group.Go(func() error {
		select {
		case err := <-fail:
			return err
		case <-running.Done():
			return nil
		}
	})
	err = group.Wait()
	return errors.Join(err, t.finish(ctx), t.close(ctx))
}

// close ends the plugin's task.
func (t *sourceTask) close(ctx context.Context) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return protect(func() error { return t.task.Close(closing) })
}

// finish waits a while for what is on its way and stores the last positions.
// What is not acked by then is read again by the next run.
func (t *sourceTask) finish(ctx context.Context) error {
	finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := t.client.Flush(finishing); err != nil {
		t.log.Warn("records on their way were given up, they will be read again", "err", err)
	}
	return t.commit(finishing)
}

func (t *sourceTask) read(ctx context.Context, fail chan<- error) error {
	batch := connect.NewBatch(batchRecords, batchBytes)
	for ctx.Err() == nil {
		batch.Reset()
		err := protect(func() error { return t.task.Read(ctx, batch) })
		for i := range batch.Records {
			if err := t.send(ctx, &batch.Records[i], fail); err != nil {
				return ended(ctx, err)
			}
		}
		if err != nil {
			return ended(ctx, err)
		}
	}
	return nil
}

// ended makes nothing of an error that only says that ctx ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// send converts a record and gives it to the producer. The record's own
// context never ends: a record that was given up in the middle would leave a
// gap in the producer's sequence.
func (t *sourceTask) send(ctx context.Context, r *connect.Record, fail chan<- error) error {
	if err := r.Source.Validate(); err != nil {
		return connect.Permanent(err)
	}
	out, err := t.encode(ctx, r)
	if err != nil {
		return err
	}
	if err := t.topics.ensure(ctx, r.Topic); err != nil {
		return err
	}
	cost := min(int64(len(out.Key)+len(out.Value)+recordOverhead), t.worker.config.TaskMemory)
	if err := t.memory.Acquire(ctx, cost); err != nil {
		return err
	}
	t.mu.Lock()
	one := t.prefix.add(r.Source)
	t.mu.Unlock()
	t.client.Produce(context.WithoutCancel(ctx), out, func(out *kgo.Record, err error) {
		t.memory.Release(cost)
		if err != nil {
			select {
			case fail <- produceError(out, err):
			default: // one fault is enough to end the run
			}
			return
		}
		t.worker.metrics.records.WithLabelValues(t.id.connector, "produced").Inc()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.prefix.ack(one)
	})
	return nil
}

// produceError says which record failed; a record that is too large stays so.
func produceError(r *kgo.Record, err error) error {
	failed := fmt.Errorf("produce to %s: %w", r.Topic, err)
	if errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) || errors.Is(err, kerr.InvalidTopicException) {
		return connect.Permanent(fmt.Errorf("%w (a record of %d bytes)", failed, len(r.Key)+len(r.Value)))
	}
	return failed
}

func (t *sourceTask) encode(ctx context.Context, r *connect.Record) (*kgo.Record, error) {
	key, err := t.convert.key.Encode(ctx, r.Topic, r.Key)
	if err != nil {
		return nil, fmt.Errorf("convert a key for %s: %w", r.Topic, err)
	}
	value, err := t.convert.value.Encode(ctx, r.Topic, r.Value)
	if err != nil {
		return nil, fmt.Errorf("convert a value for %s: %w", r.Topic, err)
	}
	out := &kgo.Record{Topic: r.Topic, Key: key, Value: value, Timestamp: r.Timestamp}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: headerBytes(h.Value)})
	}
	return out, nil
}

func headerBytes(d connect.Data) []byte {
	switch v := d.Any.(type) {
	case nil:
		return d.Raw
	case string:
		return []byte(v)
	case []byte:
		return v
	default:
		return fmt.Append(nil, v)
	}
}

// commitEvery stores positions at the interval, and soon after the task has
// become idle.
func (t *sourceTask) commitEvery(ctx context.Context) error {
	interval := t.worker.config.OffsetFlushInterval
	tick := time.NewTicker(min(interval, idleCommit))
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if time.Since(last) < interval && !t.idle() {
			continue
		}
		if err := t.commit(ctx); err != nil {
			return ended(ctx, err)
		}
		last = time.Now()
	}
}

func (t *sourceTask) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.prefix.waiting == 0
}

// commit stores the contiguous acked prefix, and then tells the task.
func (t *sourceTask) commit(ctx context.Context) error {
	t.committing.Lock()
	defer t.committing.Unlock()
	t.mu.Lock()
	positions := t.prefix.take()
	t.mu.Unlock()
	if len(positions) == 0 {
		return nil
	}
	if err := t.worker.offsets.write(ctx, t.id.connector, positions); err != nil {
		t.mu.Lock()
		t.prefix.putBack(positions)
		t.mu.Unlock()
		return fmt.Errorf("store positions: %w", err)
	}
	return protect(func() error { return t.task.Committed(ctx, positions) })
}

// taskContext is what a task sees of the worker.
type taskContext struct {
	worker *Worker
	id     taskID
	log    *slog.Logger
}

func (c taskContext) Connector() string          { return c.id.connector }
func (c taskContext) Task() int                  { return c.id.index }
func (c taskContext) Config() connect.TaskConfig { return c.id.props }
func (c taskContext) Generation() int64          { return c.id.generation }
func (c taskContext) Logger() *slog.Logger       { return c.log }
func (c taskContext) Offsets(partitions []map[string]any) []map[string]any {
	return c.worker.offsets.lookup(c.id.connector, partitions)
}

// sourceContext is what a connector sees of the worker.
type sourceContext struct{ keeper *keeper }

func (c sourceContext) Logger() *slog.Logger {
	return c.keeper.worker.log.With("connector", c.keeper.name)
}

func (c sourceContext) Replan() {
	select {
	case c.keeper.replans <- struct{}{}:
	default: // asked for already
	}
}
