package worker

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/streams/internal/task"
)

// due tells whether to commit: it is time, or there is too much uncommitted
// state.
func (w *Worker) due(now time.Time) bool {
	if !now.Before(w.commits) {
		return true
	}
	bytes := 0
	for _, s := range w.slots {
		if s.task != nil {
			bytes += s.task.Bytes()
		}
	}
	return bytes >= w.cfg.StateBytes
}

// commit makes what was processed since the last one permanent: changelogs,
// then everything emitted acked, then the offsets, then the stores.
func (w *Worker) commit(ctx context.Context) error {
	begun := time.Now()
	w.commits = begun.Add(w.cfg.CommitInterval)
	var dirty []*slot
	var offsets []task.Offset
	for _, s := range w.slots {
		if s.task == nil || !s.task.Dirty() {
			continue
		}
		if err := s.task.Changelog(); err != nil {
			return w.broken(s, err)
		}
		dirty = append(dirty, s)
		offsets = append(offsets, s.task.Offsets()...)
	}
	if len(dirty) == 0 {
		return nil
	}
	if err := w.out.flush(ctx); err != nil {
		return err
	}
	if err := w.commitOffsets(ctx, offsets); err != nil {
		if errors.Is(err, kerr.RebalanceInProgress) {
			return nil // everything stays uncommitted until the next time
		}
		if lostMembership(err) {
			// Others may have the tasks already. What was written counts
			// twice then, as at least once allows; our state must not.
			w.cfg.Logger.Warn("the group went on without this member; its tasks are given up", slog.Any("error", err))
			w.drop()
			return nil
		}
		return fmt.Errorf("commit offsets of group %s: %w", w.cfg.AppID, err)
	}
	for _, s := range dirty {
		if err := s.task.Committed(); err != nil {
			return w.broken(s, err)
		}
	}
	w.cfg.Metrics.committed(time.Since(begun))
	return nil
}

// commitOffsets commits with the stream time as metadata.
func (w *Worker) commitOffsets(ctx context.Context, offsets []task.Offset) error {
	type partition struct {
		topic string
		n     int32
	}
	at := map[string]map[int32]kgo.EpochOffset{}
	times := map[partition]int64{}
	for _, o := range offsets {
		if at[o.Topic] == nil {
			at[o.Topic] = map[int32]kgo.EpochOffset{}
		}
		at[o.Topic][o.Partition] = kgo.EpochOffset{Epoch: -1, Offset: o.Next}
		times[partition{o.Topic, o.Partition}] = o.StreamTime
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			for j := range req.Topics[i].Partitions {
				p := &req.Topics[i].Partitions[j]
				text := encodeStreamTime(times[partition{req.Topics[i].Topic, p.Partition}])
				p.Metadata = &text
			}
		}
		return nil
	})
	var failed error
	w.client.CommitOffsetsSync(ctx, at, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = err
		if resp == nil {
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					failed = errors.Join(failed, fmt.Errorf("topic %s partition %d: %w", t.Topic, p.Partition, err))
				}
			}
		}
	})
	return failed
}

// lostMembership tells the errors after which the group has, or will have,
// assigned this member's tasks anew.
func lostMembership(err error) bool {
	return errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.FencedInstanceID)
}

// streamTimeVersion is Kafka Streams' version of offset metadata with a
// partition time and nothing more.
const streamTimeVersion = 1

// encodeStreamTime makes offset metadata of a stream time: base64 of a version
// byte and milliseconds, as Kafka Streams does.
func encodeStreamTime(ms int64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte{streamTimeVersion}, uint64(ms)))
}

// decodeStreamTime is the inverse; what is not ours gives no time.
func decodeStreamTime(text string) (ms int64, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 9 || b[0] != streamTimeVersion {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(b[1:])), true
}
