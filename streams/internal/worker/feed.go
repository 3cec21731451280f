package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/streams/internal/assign"
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
)

// A partition is paused when so many of its records wait, and resumed when so
// few do: one input must not fill the memory while another is waited for.
const (
	pauseAt  = 2 * pollRecords
	resumeAt = pollRecords / 2
)

// feed gives the tasks what was fetched for them.
func (w *Worker) feed(fetches kgo.Fetches) error {
	var err error
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Err != nil {
			if e := w.fetchError(p.Topic, p.Partition, p.Err); e != nil && err == nil {
				err = e
			}
		}
		s := w.slots[task.ID{Subtopology: w.subs[p.Topic], Partition: p.Partition}]
		if s == nil || s.task == nil {
			return // revoked, or a poll's own error
		}
		for _, r := range p.Records {
			if r.Attrs.IsControl() {
				s.task.Skip(r.Topic, r.Offset)
			} else {
				s.task.Add(raw(r))
			}
		}
		s.task.Known(p.Topic, p.LastStableOffset)
	})
	return err
}

// raw is the record as tasks know it.
func raw(r *kgo.Record) topology.Raw {
	var headers []topology.Header
	for _, h := range r.Headers {
		headers = append(headers, topology.Header{Key: h.Key, Value: h.Value})
	}
	return topology.Raw{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value, Headers: headers,
	}
}

// fetchError passes over what the client goes on from by itself, and returns
// what it does not.
func (w *Worker) fetchError(topic string, partition int32, err error) error {
	var (
		loss    *kgo.ErrDataLoss
		session *kgo.ErrGroupSession
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, assign.ErrOtherTopology):
		return fmt.Errorf("group %s: %w", w.cfg.AppID, err)
	case errors.As(err, &session):
		w.cfg.Logger.Warn("the group session ended and is begun again", slog.Any("error", err))
		return nil
	case errors.As(err, &loss) && loss.ResetTo < loss.ConsumedTo:
		return fmt.Errorf("input topic %s partition %d ends at offset %d, before the committed %d: it was truncated or created again, and what was lost cannot be told from what was processed; reset the offsets of group %s or use a new AppID: %w",
			topic, partition, loss.ResetTo, loss.ConsumedTo, w.cfg.AppID, err)
	case errors.As(err, &loss):
		w.cfg.Logger.Error("records were deleted before they were read", slog.String("topic", topic),
			slog.Int64("partition", int64(partition)), slog.Any("error", err))
		return nil
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return fmt.Errorf("input topic %s partition %d is gone: %w", topic, partition, err)
	case kerr.IsRetriable(err):
		return nil
	default:
		return fmt.Errorf("read topic %s partition %d: %w", topic, partition, err)
	}
}

// throttle pauses and resumes partitions by what waits in their tasks.
func (w *Worker) throttle() {
	pause, resume := map[string][]int32{}, map[string][]int32{}
	for _, s := range w.slots {
		if s.task == nil {
			continue
		}
		for _, topic := range s.task.Topics() {
			n := s.task.Buffered(topic)
			switch {
			case n >= pauseAt && !s.paused[topic]:
				s.paused[topic] = true
				pause[topic] = append(pause[topic], s.id.Partition)
			case n <= resumeAt && s.paused[topic]:
				delete(s.paused, topic)
				resume[topic] = append(resume[topic], s.id.Partition)
			}
		}
	}
	if len(pause) > 0 {
		w.client.PauseFetchPartitions(pause)
	}
	if len(resume) > 0 {
		w.client.ResumeFetchPartitions(resume)
	}
}
