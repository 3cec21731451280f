package mirrormaker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
	"github.com/millrace-io/millrace/mirrormaker/internal/topics"
)

// drainTimeout bounds what a flow waits for its last acks when it ends.
const drainTimeout = 10 * time.Second

// longestFetch bounds a fetch of a source that has nothing new.
const longestFetch = 5 * time.Second

// pollRecords bounds the records of one poll, so that a commit or an end of
// the flow does not wait behind a long catch-up.
const pollRecords = 5000

// runner runs one flow. Three loops share it: copyLoop fetches and produces,
// commitLoop writes positions, refreshLoop finds topics.
type runner struct {
	flow     Flow
	selector *topics.Selector
	namer    topics.Namer
	from, to cluster.Profile
	log      *slog.Logger

	source    *kgo.Client
	producers *producers
	state     *state
	dirty     chan struct{} // has an item when some position waits to be written

	mu         sync.Mutex
	partitions map[topicPartition]*partition
}

func newRunner(f Flow, from, to cluster.Profile, log *slog.Logger) (*runner, error) {
	selector, err := f.selector()
	if err != nil {
		return nil, err
	}
	return &runner{
		flow: f, selector: selector, namer: f.namer(), from: from, to: to,
		log:        log.With("part", "mirror", "flow", f.Name),
		dirty:      make(chan struct{}, 1),
		partitions: map[topicPartition]*partition{},
	}, nil
}

// run copies until ctx ends. routes are those of all flows of the process,
// this one's at index self.
func (r *runner) run(ctx context.Context, routes []topics.Route, self int) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	defer r.close()
	finder := &finder{runner: r, routes: routes, self: self, sourceAdmin: kadm.NewClient(r.source), targetAdmin: kadm.NewClient(r.state.client)}
	if err := finder.find(ctx); err != nil {
		return err
	}
	group, loops := errgroup.WithContext(ctx)
	group.Go(func() error { return r.copyLoop(loops) })
	group.Go(func() error { return r.commitLoop(loops) })
	group.Go(func() error { return finder.loop(loops, r.flow.Refresh) })
	err := group.Wait()
	r.drain(ctx)
	return err
}

func (r *runner) open(ctx context.Context) (err error) {
	r.source, err = r.from.Client(append(r.fresh(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // MT4: out of range is a reason to stop, not to begin anew
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{}),
		// A partition that is added waits for the fetch under way, which on a
		// quiet source is the longest part of its way.
		kgo.FetchMaxWait(min(r.flow.Refresh, longestFetch)),
	)...)
	if err != nil {
		return err
	}
	r.producers = newProducers(r.to, r.limit, r.fresh())
	r.state, err = openState(ctx, r.to, r.flow.Name)
	if err != nil {
		r.source.Close()
	}
	return err
}

// fresh makes a client learn of new partitions as fast as the flow does.
func (r *runner) fresh() []kgo.Opt {
	return []kgo.Opt{kgo.MetadataMaxAge(r.flow.Refresh), kgo.MetadataMinAge(min(r.flow.Refresh, time.Second))}
}

func (r *runner) close() {
	r.source.Close()
	r.producers.close()
	r.state.close()
}

// drain waits for the acks of what is under way and writes the last positions.
func (r *runner) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := r.producers.flush(ctx); err != nil {
		r.log.Warn("records were still under way at the end", "err", err)
	}
	if err := r.commit(ctx); err != nil {
		r.log.Warn("positions were not written at the end", "err", err)
	}
}

// limit is the largest batch that a target topic takes.
func (r *runner) limit(target string) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.partitions {
		if p.target == target {
			return p.maxBytes
		}
	}
	return defaultMaxBytes
}

func (r *runner) copyLoop(ctx context.Context) error {
	for {
		fetches := r.source.PollRecords(ctx, pollRecords)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			p := r.lookup(topicPartition{f.Topic, f.Partition})
			if p == nil || p.isStopped() {
				return
			}
			p.saw(f.HighWatermark)
			for _, record := range f.Records {
				r.copy(ctx, p, record)
			}
			if f.Err != nil {
				r.fetchFailed(p, f.Err)
			}
		})
	}
}

func (r *runner) lookup(tp topicPartition) *partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.partitions[tp]
}

// copy hands one record to the producer that compresses as the source did.
func (r *runner) copy(ctx context.Context, p *partition, source *kgo.Record) {
	if p.isStopped() {
		return
	}
	if size := encodedSize(source); size > int(p.maxBytes) {
		r.stop(p, tooLarge(source, size, p.maxBytes))
		return
	}
	codec := kgo.CompressionCodecType(source.Attrs.CompressionType())
	producer, err := r.producers.with(ctx, codec, p.codec)
	if err != nil {
		if ctx.Err() == nil {
			r.stop(p, &progress.Stop{Reason: "produce", Message: err.Error(), Remedy: "see the error of the target cluster"})
		}
		return
	}
	p.codec = codec
	record := &kgo.Record{
		Topic: p.target, Partition: p.partition, Timestamp: source.Timestamp,
		Key: source.Key, Value: source.Value, Headers: source.Headers,
	}
	producer.Produce(context.WithoutCancel(ctx), record, func(copied *kgo.Record, err error) {
		if err != nil {
			r.produceFailed(p, source, err)
			return
		}
		p.acked(source, copied)
		r.wake()
	})
}

func (r *runner) wake() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// commitLoop writes positions, at most once in the commit interval and only
// when one has moved.
func (r *runner) commitLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.dirty:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.flow.CommitInterval):
		}
		if err := r.commit(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("positions were not written, they will be with the next commit", "err", err)
			r.wake()
		}
	}
}

func (r *runner) commit(ctx context.Context) error {
	var moved []*partition
	var positions []progress.Position
	r.mu.Lock()
	for _, p := range r.partitions {
		if position, ok := p.pending(); ok {
			moved, positions = append(moved, p), append(positions, position)
		}
	}
	r.mu.Unlock()
	if err := r.state.write(ctx, moved, positions); err != nil {
		for _, p := range moved {
			p.unwritten()
		}
		return err
	}
	return nil
}

// stop ends one partition and says so once; the others go on.
func (r *runner) stop(p *partition, why *progress.Stop) {
	if !p.stop(why) {
		return
	}
	r.log.Error("partition stopped", "topic", p.topic, "partition", p.partition,
		"reason", why.Reason, "err", why.Message, "remedy", why.Remedy)
	r.source.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
}

func (r *runner) fetchFailed(p *partition, err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
	case errors.Is(err, kerr.OffsetOutOfRange):
		r.stop(p, &progress.Stop{Reason: "gap", Message: "the next offset is no longer at the source",
			Remedy: "restart the flow: it then says what is missing, and on_gap decides"})
	case kerr.IsRetriable(err):
		r.log.Warn("fetch failed, trying again", "topic", p.topic, "partition", p.partition, "err", err)
	default:
		r.stop(p, &progress.Stop{Reason: "fetch", Message: err.Error(), Remedy: "mend the source partition and restart the flow"})
	}
}

func (r *runner) produceFailed(p *partition, source *kgo.Record, err error) {
	if errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) {
		return
	}
	r.stop(p, refused(source, err))
}
