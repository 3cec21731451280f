package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/connect"
)

const (
	// heartbeatInterval is how soon a sink learns of a rebalance.
	heartbeatInterval = 2 * time.Second
	// pollWait bounds one poll, so that Flush comes round without records.
	pollWait = 500 * time.Millisecond
	// A topic that appears is noticed within this time (CT15).
	metadataAge = 2 * time.Second
)

// sinkTask gives what the group connect-<name> reads to a SinkTask:
//
//	poll ─ convert ─ Write ─ every interval, or when caught up: Flush ─ commit
//
// Rebalances wait while a batch is being written; taking partitions away
// flushes and commits them first, losing them does neither.
type sinkTask struct {
	worker  *Worker
	config  *connect.Config
	id      taskID
	task    connect.SinkTask
	convert converters
	log     *slog.Logger

	client *kgo.Client

	mu        sync.Mutex // guards the task and the fields below
	assigned  map[connect.TopicPartition]bool
	own       map[connect.TopicPartition]int64 // positions that the target keeps
	committed map[connect.TopicPartition]int64
	dirty     bool // written since the last flush
	failed    bool // nothing more may be flushed
	fault     error
}

func (t *sinkTask) run(ctx context.Context) error {
	t.assigned, t.own = map[connect.TopicPartition]bool{}, map[connect.TopicPartition]int64{}
	t.committed = map[connect.TopicPartition]int64{}
	if err := t.task.Open(ctx, taskContext{worker: t.worker, id: t.id, log: t.log}); err != nil {
		return errors.Join(err, t.close(ctx))
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	client, err := t.worker.config.Cluster.Client(append(t.options(ctx), kgo.WithContext(life))...)
	if err != nil {
		return errors.Join(err, t.close(ctx))
	}
	t.client = client
	err = t.consume(ctx)
	t.mu.Lock()
	t.failed = err != nil
	t.mu.Unlock()
	t.leave(ctx, end)
	t.mu.Lock()
	fault := t.fault
	t.mu.Unlock()
	return errors.Join(err, fault, t.close(ctx))
}

func (t *sinkTask) options(ctx context.Context) []kgo.Opt {
	session := t.worker.config.SessionTimeout
	opts := []kgo.Opt{
		kgo.ConsumerGroup("connect-" + t.id.connector),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.MetadataMaxAge(metadataAge), kgo.MetadataMinAge(metadataAge / 4),
		kgo.SessionTimeout(session), kgo.HeartbeatInterval(min(heartbeatInterval, session/3)),
		kgo.FetchMaxBytes(int32(min(t.worker.config.TaskMemory, 50<<20))),
		kgo.FetchMaxPartitionBytes(int32(min(t.worker.config.TaskMemory, 1<<20))),
		kgo.MaxConcurrentFetches(2),
		kgo.OnPartitionsAssigned(t.onAssigned), kgo.OnPartitionsRevoked(t.onRevoked), kgo.OnPartitionsLost(t.onLost),
		kgo.AdjustFetchOffsetsFn(t.seek),
	}
	if t.config.TopicsRegex != "" {
		// The whole name must match, as in Kafka Connect.
		return append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+t.config.TopicsRegex+")$"))
	}
	return append(opts, kgo.ConsumeTopics(t.config.Topics...))
}

func (t *sinkTask) close(ctx context.Context) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return protect(func() error { return t.task.Close(closing) })
}

// leave leaves the group, which takes the partitions away and so flushes. Where
// the cluster does not answer, end gives up what the client still asks it.
func (t *sinkTask) leave(ctx context.Context, end func()) {
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	t.client.AllowRebalance()
	if err := t.client.LeaveGroupContext(leaving); err != nil {
		t.log.Warn("could not leave the group", "err", err)
		end()
	}
	t.client.CloseAllowingRebalance()
}

func (t *sinkTask) consume(ctx context.Context) error {
	last := time.Now()
	for ctx.Err() == nil {
		polling, cancel := context.WithTimeout(ctx, pollWait)
		fetches := t.client.PollRecords(polling, batchRecords)
		cancel()
		err := t.handle(ctx, fetches, &last)
		t.client.AllowRebalance()
		if err != nil {
			return ended(ctx, err)
		}
	}
	return nil
}

// handle writes one poll. Caught up, it flushes at once, so that what is
// written does not wait for the next record to be durable.
func (t *sinkTask) handle(ctx context.Context, fetches kgo.Fetches, last *time.Time) error {
	var failed error
	fetches.EachError(func(topic string, p int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			failed = errors.Join(failed, fmt.Errorf("fetch %s-%d: %w", topic, p, err))
		}
	})
	if failed != nil {
		return failed
	}
	records, err := t.decode(ctx, fetches.Records())
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fault != nil {
		return t.fault
	}
	if len(records) > 0 {
		t.dirty = true
		if err := protect(func() error { return t.task.Write(ctx, records) }); err != nil {
			t.failed = true
			return err
		}
		t.worker.metrics.records.WithLabelValues(t.id.connector, "written").Add(float64(len(records)))
	}
	if !t.dirty || (len(records) > 0 && time.Since(*last) < t.worker.config.OffsetFlushInterval) {
		return nil
	}
	*last = time.Now()
	return t.flush(ctx)
}

func (t *sinkTask) decode(ctx context.Context, records []*kgo.Record) ([]connect.Record, error) {
	out := make([]connect.Record, 0, len(records))
	for _, r := range records {
		key, err := t.convert.key.Decode(ctx, r.Topic, r.Key)
		if err != nil {
			return nil, fmt.Errorf("key of %s-%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		value, err := t.convert.value.Decode(ctx, r.Topic, r.Value)
		if err != nil {
			return nil, fmt.Errorf("value of %s-%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		one := connect.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp, Key: key, Value: value}
		for _, h := range r.Headers {
			one.Headers = append(one.Headers, connect.Header{Key: h.Key, Value: headerData(h.Value)})
		}
		out = append(out, one)
	}
	return out, nil
}

func headerData(b []byte) connect.Data {
	if b == nil {
		return connect.Data{}
	}
	return connect.Text(string(b))
}

// flush makes the written records durable and commits what is. The caller
// holds mu.
func (t *sinkTask) flush(ctx context.Context) error {
	var durable map[connect.TopicPartition]int64
	err := protect(func() (err error) {
		durable, err = t.task.Flush(ctx)
		return err
	})
	if err != nil {
		t.failed = true
		return fmt.Errorf("flush: %w", err)
	}
	t.dirty = false
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, next := range durable {
		if !t.assigned[p] || t.committed[p] == next {
			continue
		}
		if offsets[p.Topic] == nil {
			offsets[p.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: -1, Offset: next}
	}
	if len(offsets) == 0 {
		return nil
	}
	if err := t.commit(ctx, offsets); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for topic, partitions := range offsets {
		for p, at := range partitions {
			t.committed[connect.TopicPartition{Topic: topic, Partition: p}] = at.Offset
		}
	}
	return nil
}

func (t *sinkTask) commit(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) error {
	var failed error
	t.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *commitRequest, response *commitResponse, err error) {
		failed = commitError(response, err)
	})
	return failed
}

func (t *sinkTask) onAssigned(ctx context.Context, _ *kgo.Client, assigned map[string][]int32) {
	partitions := flat(assigned)
	t.mu.Lock()
	defer t.mu.Unlock()
	var own map[connect.TopicPartition]int64
	err := protect(func() (err error) {
		own, err = t.task.Assigned(ctx, partitions)
		return err
	})
	if err != nil {
		t.fault = fmt.Errorf("assigned: %w", err)
		return
	}
	for _, p := range partitions {
		t.assigned[p] = true
		if next, ok := own[p]; ok {
			t.own[p] = next
		}
	}
}

// seek begins at the positions that the target keeps.
func (t *sinkTask) seek(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic, partitions := range offsets {
		for p := range partitions {
			if next, ok := t.own[connect.TopicPartition{Topic: topic, Partition: p}]; ok {
				partitions[p] = kgo.NewOffset().At(next)
			}
		}
	}
	return offsets, nil
}

func (t *sinkTask) onRevoked(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	t.revoke(ctx, flat(revoked), false)
}

func (t *sinkTask) onLost(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	t.revoke(ctx, flat(lost), true)
}

// revoke gives partitions up. After a failure nothing is known to be whole,
// so nothing is flushed, as for partitions that are lost.
func (t *sinkTask) revoke(ctx context.Context, partitions []connect.TopicPartition, lost bool) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	t.mu.Lock()
	defer t.mu.Unlock()
	lost = lost || t.failed
	if !lost && len(partitions) > 0 {
		if err := t.flush(ending); err != nil {
			t.fault, lost = err, true
		}
	}
	err := protect(func() error { return t.task.Revoked(ending, partitions, lost) })
	if err != nil && t.fault == nil {
		t.fault = fmt.Errorf("revoked: %w", err)
	}
	for _, p := range partitions {
		delete(t.assigned, p)
		delete(t.own, p)
		delete(t.committed, p)
	}
}

func flat(topics map[string][]int32) []connect.TopicPartition {
	var out []connect.TopicPartition
	for topic, partitions := range topics {
		for _, p := range partitions {
			out = append(out, connect.TopicPartition{Topic: topic, Partition: p})
		}
	}
	slices.SortFunc(out, func(a, b connect.TopicPartition) int {
		if a.Topic != b.Topic {
			if a.Topic < b.Topic {
				return -1
			}
			return 1
		}
		return int(a.Partition - b.Partition)
	})
	return out
}
