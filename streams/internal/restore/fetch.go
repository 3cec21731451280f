package restore

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
	fetchBytes   = 4 << 20
	fetchWait    = 250 * time.Millisecond
	retryBackoff = 100 * time.Millisecond
	readStable   = 1 // read_committed
)

// fetcher reads one partition by requests of its own, because only a batch
// tells the position after it.
type fetcher struct {
	client    *kgo.Client
	topic     string
	id        [16]byte
	partition int32
	leader    *kgo.Broker
}

// fetch gives the committed records at the position and the position after
// them. The target is known to be stable, so an empty answer means that
// nothing is left below it.
func (f *fetcher) fetch(ctx context.Context, position, target int64) ([]*kgo.Record, int64, error) {
	for {
		answer, err := f.request(ctx, position)
		switch {
		case err == nil && len(answer.RecordBatches) == 0 && answer.LastStableOffset >= target:
			return nil, target, nil
		case err == nil && len(answer.RecordBatches) > 0:
			return f.records(answer, position)
		case err != nil && !retriable(err):
			return nil, 0, err
		case err != nil:
			f.leader = nil // it may be another one now
		}
		if err := sleep(ctx, retryBackoff); err != nil {
			return nil, 0, err
		}
	}
}

func (f *fetcher) records(answer *kmsg.FetchResponseTopicPartition, position int64) ([]*kgo.Record, int64, error) {
	part, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset:         position,
		IsolationLevel: kgo.ReadCommitted(),
		Topic:          f.topic,
		Partition:      f.partition,
	}, answer, kgo.DefaultDecompressor(), nil)
	if part.Err != nil {
		return nil, 0, fmt.Errorf("offset %d: %w", position, part.Err)
	}
	if next <= position {
		return nil, 0, fmt.Errorf("offset %d: the batches there hold nothing after it", position)
	}
	return part.Records, next, nil
}

func (f *fetcher) request(ctx context.Context, position int64) (*kmsg.FetchResponseTopicPartition, error) {
	if err := f.findLeader(ctx); err != nil {
		return nil, err
	}
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(fetchWait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	req.IsolationLevel = readStable
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = f.topic, f.id
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = f.partition
	partition.FetchOffset = position
	partition.PartitionMaxBytes = fetchBytes
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)

	answer, err := f.leader.RetriableRequest(ctx, req)
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

func (f *fetcher) findLeader(ctx context.Context) error {
	if f.leader != nil {
		return nil
	}
	details, err := kadm.NewClient(f.client).ListTopics(ctx, f.topic)
	if err != nil {
		return err
	}
	if err := details[f.topic].Err; err != nil {
		return err
	}
	partition, ok := details[f.topic].Partitions[f.partition]
	if !ok {
		return kerr.UnknownTopicOrPartition
	}
	if partition.Leader < 0 {
		return kerr.LeaderNotAvailable
	}
	f.leader = f.client.Broker(int(partition.Leader))
	return nil
}

// retriable tells errors that another try, perhaps at another leader, can
// cure. A client's own network errors are retried within RetriableRequest, and
// come here only as something that lasts.
func retriable(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, kgo.ErrClientClosed) &&
		!errors.Is(err, kerr.OffsetOutOfRange) && (kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
