package mirrormaker

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// span is a range of offsets of one partition, to exclusive.
type span struct {
	topic     string
	partition int32
	from, to  int64
}

// readTimeout bounds how long a cluster may give no record of a span.
const readTimeout = time.Minute

// read gives the committed records of a span in order until visit wants no
// more. It ends by position: control records are asked for and passed over,
// since the last offset of a log may be one.
func read(ctx context.Context, profile cluster.Profile, s span, visit func(*kgo.Record) (more bool)) error {
	if s.from >= s.to {
		return nil
	}
	client, err := profile.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: {s.partition: kgo.NewOffset().At(s.from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for next := s.from; next < s.to; {
		fetches, err := pollOnce(ctx, client)
		if err != nil {
			return fmt.Errorf("read %s-%d from offset %d to %d: %w", s.topic, s.partition, s.from, s.to, err)
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			if r.Offset >= s.to || (!r.Attrs.IsControl() && !visit(r)) {
				return nil
			}
		}
	}
	return nil
}

func pollOnce(ctx context.Context, client *kgo.Client) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	fetches := client.PollFetches(ctx)
	return fetches, fetches.Err()
}

// ends returns the first offset of a partition and the one after the last.
func ends(ctx context.Context, admin *kadm.Client, topic string, partition int32) (start, end int64, err error) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	return pick(starts, ends, topic, partition)
}

func pick(starts, ends kadm.ListedOffsets, topic string, partition int32) (start, end int64, err error) {
	first, ok := starts.Lookup(topic, partition)
	last, ok2 := ends.Lookup(topic, partition)
	switch {
	case !ok || !ok2:
		return 0, 0, fmt.Errorf("topic %s has no partition %d", topic, partition)
	case first.Err != nil:
		return 0, 0, first.Err
	case last.Err != nil:
		return 0, 0, last.Err
	}
	return first.Offset, last.Offset, nil
}

func fingerprint(r *kgo.Record) progress.Print {
	return progress.Fingerprint(r.Timestamp.UnixMilli(), r.Key, r.Value)
}
