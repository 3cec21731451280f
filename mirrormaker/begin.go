package mirrormaker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/mirrormaker/internal/progress"
)

// learnTimeout bounds how long a new partition of the target may take to be
// known to clients; the next look tries again.
const learnTimeout = 10 * time.Second

// begin sets partitions going that were not looked at yet.
func (f *finder) begin(ctx context.Context, all kadm.TopicDetails, selected []string) error {
	var fresh []*partition
	for _, topic := range selected {
		for _, detail := range all[topic].Partitions.Sorted() {
			if tp := (topicPartition{topic, detail.Partition}); f.lookup(tp) == nil {
				fresh = append(fresh, &partition{topicPartition: tp, target: f.namer.Name(topic)})
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	view, err := f.look(ctx, fresh)
	if err != nil {
		return err
	}
	learning, cancel := context.WithTimeout(ctx, learnTimeout)
	defer cancel()
	offsets := map[string]map[int32]kgo.Offset{}
	for _, p := range fresh {
		if err := f.producers.learn(learning, p.target, p.partition); err != nil {
			return err
		}
		if err := f.resume(ctx, p, view, all[p.topic].ID); err != nil {
			return err
		}
		if !p.isStopped() {
			if offsets[p.topic] == nil {
				offsets[p.topic] = map[int32]kgo.Offset{}
			}
			offsets[p.topic][p.partition] = kgo.NewOffset().At(p.position.Next)
		}
	}
	f.mu.Lock()
	for _, p := range fresh {
		f.partitions[p.topicPartition] = p
	}
	f.mu.Unlock()
	if err := f.commit(ctx); err != nil { // first positions before first records
		f.forget(fresh)
		return fmt.Errorf("write positions to %s: %w", StateTopic, err)
	}
	f.source.AddConsumePartitions(offsets)
	return nil
}

func (f *finder) forget(fresh []*partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range fresh {
		delete(f.partitions, p.topicPartition)
	}
}

// view is what both clusters say of the partitions that begin.
type view struct {
	starts, ends, targetStarts, targetEnds kadm.ListedOffsets
	maxBytes                               map[string]int32 // of target topics
	compacted                              map[string]bool  // source topics
}

func (f *finder) look(ctx context.Context, fresh []*partition) (v view, err error) {
	var sources, targets []string
	for _, p := range fresh {
		sources, targets = append(sources, p.topic), append(targets, p.target)
	}
	sources, targets = slices.Compact(slices.Sorted(slices.Values(sources))), slices.Compact(slices.Sorted(slices.Values(targets)))
	if v.starts, err = f.sourceAdmin.ListStartOffsets(ctx, sources...); err != nil {
		return v, err
	}
	if v.ends, err = f.sourceAdmin.ListCommittedOffsets(ctx, sources...); err != nil {
		return v, err
	}
	if v.targetStarts, err = f.targetAdmin.ListStartOffsets(ctx, targets...); err != nil {
		return v, err
	}
	if v.targetEnds, err = f.targetAdmin.ListEndOffsets(ctx, targets...); err != nil {
		return v, err
	}
	return v, f.lookConfigs(ctx, &v, sources, targets)
}

func (f *finder) lookConfigs(ctx context.Context, v *view, sources, targets []string) error {
	v.maxBytes, v.compacted = map[string]int32{}, map[string]bool{}
	limits, err := f.targetAdmin.DescribeTopicConfigs(ctx, targets...)
	if err != nil {
		return err
	}
	for _, r := range limits {
		n, err := strconv.ParseInt(value(r, "max.message.bytes"), 10, 32)
		if err != nil {
			n = defaultMaxBytes // a cluster that hides its configs
		}
		v.maxBytes[r.Name] = int32(n)
	}
	policies, err := f.sourceAdmin.DescribeTopicConfigs(ctx, sources...)
	for _, r := range policies {
		v.compacted[r.Name] = strings.Contains(value(r, "cleanup.policy"), "compact")
	}
	return err
}

func value(r kadm.ResourceConfig, key string) string {
	for _, c := range r.Configs {
		if c.Key == key {
			return c.MaybeValue()
		}
	}
	return ""
}

// resume decides where a partition goes on and compares the target's tail
// where it has to.
func (f *finder) resume(ctx context.Context, p *partition, v view, id kadm.TopicID) error {
	var source progress.Source
	var err error
	if source.Start, source.End, err = pick(v.starts, v.ends, p.topic, p.partition); err != nil {
		return fmt.Errorf("source %s-%d: %w", p.topic, p.partition, err)
	}
	if id != (kadm.TopicID{}) {
		source.TopicID = fmt.Sprintf("%x", id[:])
	}
	_, targetEnd, err := pick(v.targetStarts, v.targetEnds, p.target, p.partition)
	if err != nil {
		return fmt.Errorf("target %s-%d: %w", p.target, p.partition, err)
	}
	p.maxBytes, p.end = v.maxBytes[p.target], source.End

	stored, known := f.state.positions[p.topicPartition]
	decision := progress.Decide(maybe(stored, known), source, targetEnd, f.flow.policy())
	if decision.Stop != nil {
		p.position = stored
		f.stop(p, decision.Stop)
		return nil
	}
	if decision.Lost > 0 {
		f.log.Warn("records were deleted at the source before they were copied", "topic", p.topic, "partition", p.partition, "offsets", decision.Lost)
	}
	if !known && !f.found && f.flow.Start == "latest" && len(f.state.positions) == 0 {
		decision.From = source.End
	}
	p.position, p.dirty = stored, true
	p.position.Next, p.position.TopicID, p.position.Target = decision.From, source.TopicID, p.target
	if decision.CheckTail {
		return f.passTail(ctx, p, source, targetEnd, v.compacted[p.topic] || decision.Lost > 0)
	}
	p.position.TargetNext = targetEnd
	return nil
}

func maybe(p progress.Position, known bool) *progress.Position {
	if !known {
		return nil
	}
	return &p
}

// passTail moves the position over the records that were copied after it was
// written. mayMiss says that the source may have lost some of them since.
func (f *finder) passTail(ctx context.Context, p *partition, source progress.Source, targetEnd int64, mayMiss bool) error {
	var prints []progress.Print
	err := read(ctx, f.to, span{p.target, p.partition, p.position.TargetNext, targetEnd}, func(r *kgo.Record) bool {
		prints = append(prints, fingerprint(r))
		return true
	})
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	tail := progress.NewTail(prints)
	err = read(ctx, f.from, span{p.topic, p.partition, p.position.Next, source.End}, func(r *kgo.Record) bool {
		if tail.Done() || !tail.Copied(fingerprint(r)) {
			return false
		}
		p.position.Next, p.last = r.Offset+1, r
		return true
	})
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if tail.Unknown() > 0 && !mayMiss {
		f.stop(p, &progress.Stop{
			Reason:  "target",
			Message: fmt.Sprintf("%d of the %d records at the end of %s-%d are not the source's: somebody else writes there", tail.Unknown(), len(prints), p.target, p.partition),
			Remedy:  "let only the flow write to the target topic, or use naming: prefix",
		})
		return nil
	}
	p.position.TargetNext = targetEnd
	f.log.Info("found records that were copied before the stop", "topic", p.topic, "partition", p.partition, "records", len(prints))
	return nil
}
