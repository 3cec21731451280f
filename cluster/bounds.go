package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bounds are what a partition holds: its first offset, and its last stable one,
// up to which records are committed.
type Bounds struct{ Start, End int64 }

// Patience is how long a topic may be unknown to brokers, or a partition without
// leader, for who has no reason to wait for another time.
const Patience = 30 * time.Second

// ListBounds asks for the bounds of all partitions of topics. A topic that was
// created a moment ago may not be known to every broker yet, and a partition may
// be without a leader: these are asked for again for as long as patience lasts,
// and are the error afterwards ([kerr.Error]).
//
// [kerr.Error]: https://pkg.go.dev/github.com/twmb/franz-go/pkg/kerr#Error
func ListBounds(ctx context.Context, client *kgo.Client, patience time.Duration, topics ...string) (map[string]map[int32]Bounds, error) {
	admin := kadm.NewClient(client)
	for until := time.Now().Add(patience); ; {
		bounds, err := listBounds(ctx, admin, topics)
		if err == nil || !passes(err) || !time.Now().Before(until) {
			return bounds, err
		}
		if err := sleep(ctx, retryBackoff); err != nil {
			return nil, err
		}
		// The client remembers for seconds that it was told of no such topic.
		if err := refresh(ctx, client, topics); err != nil && !passes(err) {
			return nil, err
		}
	}
}

// refresh has the client ask anew what there is to know of topics.
func refresh(ctx context.Context, client *kgo.Client, topics []string) error {
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		of := kmsg.NewMetadataRequestTopic()
		of.Topic = &topic
		req.Topics = append(req.Topics, of)
	}
	_, err := req.RequestWith(ctx, client)
	return err
}

func listBounds(ctx context.Context, admin *kadm.Client, topics []string) (map[string]map[int32]Bounds, error) {
	if len(topics) == 0 {
		return nil, nil // which kadm would take for all topics
	}
	starts, err := listed(admin.ListStartOffsets(ctx, topics...))
	if err != nil {
		return nil, fmt.Errorf("first offset: %w", err)
	}
	ends, err := listed(admin.ListCommittedOffsets(ctx, topics...))
	if err != nil {
		return nil, fmt.Errorf("last stable offset: %w", err)
	}
	bounds := map[string]map[int32]Bounds{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if bounds[end.Topic] == nil {
			bounds[end.Topic] = map[int32]Bounds{}
		}
		bounds[end.Topic][end.Partition] = Bounds{start.Offset, end.Offset}
	})
	return bounds, nil
}

// listed makes an error of what is wrong with a topic or partition.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	offsets.Each(func(o kadm.ListedOffset) {
		if err == nil && o.Err != nil {
			err = fmt.Errorf("topic %s: %w", o.Topic, o.Err)
		}
	})
	return offsets, err
}
