package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchBytes    = 4 << 20
	fetchWait     = 250 * time.Millisecond
	retryBackoff  = 100 * time.Millisecond
	readCommitted = 1 // in a Fetch request
)

// Reader reads one partition up to a known end. It goes by position, the offset
// of the next fetch, which only batches tell: the end of a log can be a
// transaction's marker, an aborted batch, or what compaction left of one, and
// whoever waits for a record of the last offset may wait for ever.
//
// A Reader is for one goroutine at a time.
type Reader struct {
	Client    *kgo.Client
	Topic     string
	Partition int32
	// TopicID is of the topic that is meant. It is asked for if it is zero; if
	// it is not, a topic that was created again under the name is an error.
	TopicID [16]byte
	// Patience is how long the cluster may give nothing before that is an
	// error; zero is until the context ends.
	Patience time.Duration

	leader *kgo.Broker
}

// Read calls visit for each committed record of [from, to), until visit wants no
// more. The range must lie below the last stable offset ([ListBounds]). What
// passes is tried again until ctx
// ends, a missing leader for instance; other errors are the cluster's
// ([kerr.Error]).
func (r *Reader) Read(ctx context.Context, from, to int64, visit func(*kgo.Record) (more bool)) error {
	for from < to {
		records, next, err := r.Next(ctx, from, to)
		if err != nil {
			return fmt.Errorf("read %s-%d from offset %d to %d: %w", r.Topic, r.Partition, from, to, err)
		}
		for _, record := range records {
			if record.Offset >= to || !visit(record) {
				return nil
			}
		}
		from = next
	}
	return nil
}

// Next gives the committed records at a position and the position after them. It may give
// none, and records from the target on. An empty fetch proves that nothing is
// left below the target, since that was readable before.
func (r *Reader) Next(ctx context.Context, position, target int64) ([]*kgo.Record, int64, error) {
	if r.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Patience, fmt.Errorf("nothing came within %v", r.Patience))
		defer cancel()
	}
	for {
		answer, err := r.request(ctx, position)
		switch {
		case err == nil && len(answer.RecordBatches) == 0 && answer.LastStableOffset >= target:
			return nil, target, nil
		case err == nil && len(answer.RecordBatches) > 0:
			return r.records(answer, position)
		case ctx.Err() != nil:
			return nil, 0, errors.Join(context.Cause(ctx), err)
		case err != nil && !passes(err):
			return nil, 0, err
		case err != nil:
			r.leader = nil // it may be another one now
		}
		if err := sleep(ctx, retryBackoff); err != nil {
			return nil, 0, err
		}
	}
}

func (r *Reader) records(answer *kmsg.FetchResponseTopicPartition, position int64) ([]*kgo.Record, int64, error) {
	part, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset:         position,
		IsolationLevel: kgo.ReadCommitted(),
		Topic:          r.Topic,
		Partition:      r.Partition,
	}, answer, kgo.DefaultDecompressor(), nil)
	if part.Err != nil {
		return nil, 0, fmt.Errorf("offset %d: %w", position, part.Err)
	}
	if next <= position {
		return nil, 0, fmt.Errorf("offset %d: the batches there hold nothing after it", position)
	}
	return part.Records, next, nil
}

func (r *Reader) request(ctx context.Context, position int64) (*kmsg.FetchResponseTopicPartition, error) {
	if err := r.findLeader(ctx); err != nil {
		return nil, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(fetchWait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	req.IsolationLevel = readCommitted
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.Topic, r.TopicID
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = r.Partition
	partition.FetchOffset = position
	partition.PartitionMaxBytes = fetchBytes
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)

	answer, err := r.leader.RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, ok := answer.(*kmsg.FetchResponse)
	if !ok || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		if ok && resp.ErrorCode != 0 {
			return nil, kerr.ErrorForCode(resp.ErrorCode)
		}
		return nil, errors.New("the answer to a fetch is not for the one partition asked for")
	}
	got := &resp.Topics[0].Partitions[0]
	return got, kerr.ErrorForCode(got.ErrorCode)
}

func (r *Reader) findLeader(ctx context.Context) error {
	if r.leader != nil {
		return nil
	}
	topics, err := kadm.NewClient(r.Client).ListTopicsWithInternal(ctx, r.Topic)
	if err != nil {
		return err
	}
	topic := topics[r.Topic]
	if topic.Err != nil {
		return topic.Err
	}
	partition, ok := topic.Partitions[r.Partition]
	if !ok {
		return kerr.UnknownTopicOrPartition
	}
	if partition.Leader < 0 {
		return kerr.LeaderNotAvailable
	}
	if r.TopicID == [16]byte{} {
		r.TopicID = topic.ID
	}
	r.leader = r.Client.Broker(int(partition.Leader))
	return nil
}

// passes tells errors that another try, perhaps at another leader, can
// cure. A client's own network errors are retried within RetriableRequest, and
// come here only as something that lasts.
func passes(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, kgo.ErrClientClosed) &&
		!errors.Is(err, kerr.OffsetOutOfRange) && (kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
