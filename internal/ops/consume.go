package ops

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Consume says what to read.
type Consume struct {
	Topics []string
	// From is where each partition begins; a group's committed offset wins.
	From From
	// Max ends after so many records; 0 has no limit.
	Max int
	// Group joins a consumer group and commits what was read.
	Group string
	// Follow waits for new records; without it the read ends where the
	// topics ended when it began.
	Follow bool
	// Committed leaves out what transactions under way or aborted have written.
	Committed bool
}

// From is where a read begins: start, end, an offset, so many records before
// the end, or a time.
type From struct {
	kind  byte // s start, e end, o offset, r relative to the end, t time
	value int64
}

// ParseFrom reads start, end, 42, -10 (the last ten), @2026-01-02T15:04:05Z
// (from a time) or +5m (from five minutes ago).
func ParseFrom(text string, now time.Time) (From, error) {
	switch {
	case text == "start" || text == "":
		return From{kind: 's'}, nil
	case text == "end":
		return From{kind: 'e'}, nil
	case strings.HasPrefix(text, "@"):
		at, err := time.Parse(time.RFC3339, text[1:])
		if err != nil {
			return From{}, fmt.Errorf("%q: need @ and a time such as @2026-01-02T15:04:05Z", text)
		}
		return From{'t', at.UnixMilli()}, nil
	case strings.HasPrefix(text, "+"):
		ago, err := time.ParseDuration(text[1:])
		if err != nil {
			return From{}, fmt.Errorf("%q: need + and a duration such as +5m", text)
		}
		return From{'t', now.Add(-ago).UnixMilli()}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return From{}, fmt.Errorf("%q: need start, end, an offset, -N, @time or +duration", text)
	case n < 0:
		return From{'r', n}, nil
	}
	return From{'o', n}, nil
}

// partitionRange is what is left to read of one partition.
type partitionRange struct{ next, end int64 }

// Consume calls visit for each record until the read ends, visit returns
// false, or ctx ends; the last of these is no error.
func (c *Cluster) Consume(ctx context.Context, q Consume, visit func(*kgo.Record) (more bool)) error {
	ranges, err := c.ranges(ctx, q)
	if err != nil {
		return err
	}
	client, err := c.consumer(q, ranges)
	if err != nil {
		return err
	}
	defer client.Close()
	count := 0
	for q.Follow || remains(ranges) {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return c.leave(ctx, client, q)
		}
		if err := fetches.Err(); err != nil {
			return c.explain("consume "+strings.Join(q.Topics, ", "), err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			if !advance(ranges, r, q.Follow) || r.Attrs.IsControl() {
				continue
			}
			count++
			client.MarkCommitRecords(r)
			if !visit(r) || (q.Max > 0 && count >= q.Max) {
				return c.leave(ctx, client, q)
			}
		}
	}
	return c.leave(ctx, client, q)
}

// leave commits what a member of a group has read.
func (c *Cluster) leave(ctx context.Context, client *kgo.Client, q Consume) error {
	if q.Group == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DefaultTimeout)
	defer cancel()
	return c.explain("commit offsets of group "+q.Group, client.CommitMarkedOffsets(ctx))
}

func remains(ranges map[string]map[int32]*partitionRange) bool {
	for _, parts := range ranges {
		for _, r := range parts {
			if r.next < r.end {
				return true
			}
		}
	}
	return false
}

// advance notes that a record was seen and reports whether it is wanted.
func advance(ranges map[string]map[int32]*partitionRange, r *kgo.Record, follow bool) bool {
	span := ranges[r.Topic][r.Partition]
	if span == nil { // a partition that was added since
		return follow
	}
	wanted := follow || r.Offset < span.end
	span.next = r.Offset + 1
	return wanted
}

func (c *Cluster) consumer(q Consume, ranges map[string]map[int32]*partitionRange) (*kgo.Client, error) {
	isolation := kgo.ReadUncommitted()
	if q.Committed {
		isolation = kgo.ReadCommitted()
	}
	opts := []kgo.Opt{kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(), kgo.DialTimeout(DefaultTimeout), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	if q.Group != "" {
		return c.profile.Client(append(opts, kgo.ConsumerGroup(q.Group), kgo.ConsumeTopics(q.Topics...), kgo.AutoCommitMarks(),
			kgo.ConsumeResetOffset(q.From.reset()))...)
	}
	offsets := map[string]map[int32]kgo.Offset{}
	for topic, parts := range ranges {
		offsets[topic] = map[int32]kgo.Offset{}
		for p, r := range parts {
			offsets[topic][p] = kgo.NewOffset().At(r.next)
		}
	}
	return c.profile.Client(append(opts, kgo.ConsumePartitions(offsets))...)
}

// reset is where a group without committed offsets begins.
func (f From) reset() kgo.Offset {
	switch f.kind {
	case 'e':
		return kgo.NewOffset().AtEnd()
	case 'o':
		return kgo.NewOffset().At(f.value)
	case 'r':
		return kgo.NewOffset().AtEnd().Relative(f.value)
	case 't':
		return kgo.NewOffset().AfterMilli(f.value)
	default:
		return kgo.NewOffset().AtStart()
	}
}

// ranges asks for where each partition begins and ends.
func (c *Cluster) ranges(ctx context.Context, q Consume) (map[string]map[int32]*partitionRange, error) {
	doing := "consume " + strings.Join(q.Topics, ", ")
	starts, err := c.admin.ListStartOffsets(ctx, q.Topics...)
	if err != nil {
		return nil, c.explain(doing, err)
	}
	list := c.admin.ListEndOffsets
	if q.Committed {
		list = c.admin.ListCommittedOffsets
	}
	ends, err := list(ctx, q.Topics...)
	if err != nil {
		return nil, c.explain(doing, err)
	}
	at := starts
	if q.From.kind == 't' {
		if at, err = c.admin.ListOffsetsAfterMilli(ctx, q.From.value, q.Topics...); err != nil {
			return nil, c.explain(doing, err)
		}
	}
	ranges := map[string]map[int32]*partitionRange{}
	var fault error
	starts.Each(func(s kadm.ListedOffset) {
		end, _ := ends.Lookup(s.Topic, s.Partition)
		begin, _ := at.Lookup(s.Topic, s.Partition)
		for _, err := range []error{s.Err, end.Err, begin.Err} {
			if err != nil {
				fault = errors.Join(fault, err)
				return
			}
		}
		from, err := q.From.within(s.Offset, end.Offset, begin.Offset)
		if err != nil {
			fault = errors.Join(fault, c.outOfRange(s, end.Offset, err))
			return
		}
		if ranges[s.Topic] == nil {
			ranges[s.Topic] = map[int32]*partitionRange{}
		}
		ranges[s.Topic][s.Partition] = &partitionRange{from, end.Offset}
	})
	for _, topic := range q.Topics {
		if ranges[topic] == nil && fault == nil {
			fault = kerr.UnknownTopicOrPartition
		}
	}
	if fault != nil {
		return nil, c.explain(doing, fault)
	}
	return ranges, c.committed(ctx, q, ranges)
}

// committed moves the begin of a group's partitions to what it committed.
func (c *Cluster) committed(ctx context.Context, q Consume, ranges map[string]map[int32]*partitionRange) error {
	if q.Group == "" {
		return nil
	}
	offsets, err := c.admin.FetchOffsetsForTopics(ctx, q.Group, q.Topics...)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil // some brokers say so of a group that is about to be made
	}
	if err != nil {
		return c.explain("fetch offsets of group "+q.Group, err)
	}
	for topic, parts := range ranges {
		for p, r := range parts {
			if o, ok := offsets.Lookup(topic, p); ok && o.At >= 0 {
				r.next = o.At
			}
		}
	}
	return nil
}

// within places From between a partition's start and end.
func (f From) within(start, end, timed int64) (int64, error) {
	switch f.kind {
	case 'e':
		return end, nil
	case 'o':
		if f.value < start || f.value > end {
			return 0, fmt.Errorf("offset %d is not in %d to %d", f.value, start, end)
		}
		return f.value, nil
	case 'r':
		return max(start, end+f.value), nil
	case 't':
		return timed, nil
	default:
		return start, nil
	}
}

func (c *Cluster) outOfRange(s kadm.ListedOffset, end int64, err error) error {
	return &Fault{
		Kind: Failed, Code: CodeOffsets, Message: fmt.Sprintf("topic %s, partition %d", s.Topic, s.Partition), Err: err,
		Hint: fmt.Sprintf("valid offsets are %d to %d", s.Offset, end), Try: "start, end, or -10 for the last ten",
	}
}
