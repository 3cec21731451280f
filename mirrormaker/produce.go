package mirrormaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// defaultMaxBytes is Kafka's default of max.message.bytes.
const defaultMaxBytes = 1048588

// batchLimits are the bounds that the client takes for a batch.
const minBatch, maxBatch = 512, 1 << 30

// producers holds a client of the target per compression codec, so that what
// came compressed leaves compressed the same way. A client is made when the
// first record needs it.
type producers struct {
	profile cluster.Profile
	limit   func(topic string) int32
	opts    []kgo.Opt

	mu      sync.Mutex
	clients map[kgo.CompressionCodecType]*kgo.Client
}

func newProducers(profile cluster.Profile, limit func(topic string) int32, opts []kgo.Opt) *producers {
	return &producers{profile: profile, limit: limit, opts: opts, clients: map[kgo.CompressionCodecType]*kgo.Client{}}
}

// with returns the producer of a codec. Where a partition changes its codec,
// what the former producer has under way is waited for: two clients have no
// order between them.
func (ps *producers) with(ctx context.Context, codec, former kgo.CompressionCodecType) (*kgo.Client, error) {
	ps.mu.Lock()
	client, old := ps.clients[codec], ps.clients[former]
	ps.mu.Unlock()
	if codec != former && old != nil {
		if err := old.Flush(ctx); err != nil {
			return nil, err
		}
	}
	if client != nil {
		return client, nil
	}
	client, err := ps.profile.Client(append(slices.Clone(ps.opts),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(compression(codec)),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { return min(max(ps.limit(topic), minBatch), maxBatch) }),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	)...)
	if err != nil {
		return nil, err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.clients[codec] = client
	return client, nil
}

func (ps *producers) all() []*kgo.Client {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var all []*kgo.Client
	for _, c := range ps.clients {
		all = append(all, c)
	}
	return all
}

// askAgain is how soon metadata that was asked for is looked at again.
const askAgain = 10 * time.Millisecond

// learn waits until every producer that knows a topic knows this partition of
// it. A client refuses records of a partition that was added since it last
// asked, and a refused record stops its partition.
func (ps *producers) learn(ctx context.Context, topic string, partition int32) error {
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for _, c := range ps.all() {
		for !knows(c, topic, partition) {
			c.ForceMetadataRefresh()
			select {
			case <-ctx.Done():
				return fmt.Errorf("the brokers do not know partition %d of topic %s: %w", partition, topic, ctx.Err())
			case <-tick.C:
			}
		}
	}
	return nil
}

// knows reports whether a client can produce to a partition. One that has not
// met the topic yet asks for it at its first record.
func knows(c *kgo.Client, topic string, partition int32) bool {
	has := func(partition int32) bool {
		leader, _, err := c.PartitionLeader(topic, partition)
		return leader >= 0 || err != nil // an error is the record's to tell
	}
	return !has(0) || has(partition)
}

func (ps *producers) flush(ctx context.Context) error {
	var errs []error
	for _, c := range ps.all() {
		errs = append(errs, c.Flush(ctx))
	}
	return errors.Join(errs...)
}

func (ps *producers) close() {
	for _, c := range ps.all() {
		c.Close()
	}
}

func compression(codec kgo.CompressionCodecType) kgo.CompressionCodec {
	switch codec {
	case kgo.CodecGzip:
		return kgo.GzipCompression()
	case kgo.CodecSnappy:
		return kgo.SnappyCompression()
	case kgo.CodecLz4:
		return kgo.Lz4Compression()
	case kgo.CodecZstd:
		return kgo.ZstdCompression()
	default:
		return kgo.NoCompression()
	}
}

// batchOverhead is the header of a batch and the largest framing of a record
// with its lengths as varints, header by header.
const batchOverhead, headerOverhead = 61 + 32, 10

func encodedSize(r *kgo.Record) int {
	size := batchOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += headerOverhead + len(h.Key) + len(h.Value)
	}
	return size
}

func tooLarge(r *kgo.Record, size int, limit int32) *progress.Stop {
	return &progress.Stop{
		Reason:  "too_large",
		Message: fmt.Sprintf("the record at source offset %d needs a batch of %d bytes, the target topic takes %d", r.Offset, size, limit),
		Remedy:  "raise max.message.bytes of the target topic and restart the flow",
	}
}

// refused explains what the target answered.
func refused(r *kgo.Record, err error) *progress.Stop {
	stop := &progress.Stop{
		Reason:  "produce",
		Message: fmt.Sprintf("the target refused the record at source offset %d: %v", r.Offset, err),
		Remedy:  "mend the target topic and restart the flow",
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		stop.Reason, stop.Remedy = "target", "the target topic was deleted: delete it on purpose and rename the flow, or create it again"
	case errors.Is(err, kerr.MessageTooLarge):
		stop.Reason, stop.Remedy = "too_large", "raise max.message.bytes of the target topic and restart the flow"
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		stop.Reason, stop.Remedy = "unauthorized", "allow the flow to WRITE the target topic"
	}
	return stop
}
