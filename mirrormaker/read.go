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

// readTimeout bounds how long a cluster may give nothing of a span.
const readTimeout = time.Minute

// read gives the committed records of a span in order until visit wants no
// more.
func read(ctx context.Context, profile cluster.Profile, s span, visit func(*kgo.Record) (more bool)) error {
	if s.from >= s.to {
		return nil
	}
	client, err := profile.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	reader := cluster.Reader{Client: client, Topic: s.topic, Partition: s.partition, Patience: readTimeout}
	return reader.Read(ctx, s.from, s.to, visit)
}

// pick is what two lists say of a partition.
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
