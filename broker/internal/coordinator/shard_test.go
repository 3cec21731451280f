package coordinator

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/internal/record"
)

func shardOptions() *GroupOptions {
	opts := testOptions()
	n := 0
	opts.Group.NewMemberID = func(prefix string) string { n++; return fmt.Sprintf("%s-%d", prefix, n) }
	opts.setDefaults()
	return &opts
}

func commitEvent(id string, offset int64) (string, func(*group.State, *turn.Turn)) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, id, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	return id, func(s *group.State, t *turn.Turn) { s.Commit(t, req) }
}

// Requests to groups that do not exist leave nothing behind: a client with a
// wrong group id must not fill the coordinator's memory.
func TestRefusedGroupsAreForgotten(t *testing.T) {
	s, now := NewGroupShard(shardOptions()), time.UnixMilli(1_700_000_000_000)
	for i := range 100 {
		turn := s.Do(now, 1, fmt.Sprint(i), func(g *group.State, t *turn.Turn) {
			g.Heartbeat(t, &group.BeatRequest{MemberID: "nobody"})
		})
		if len(turn.Replies) != 1 || len(turn.Records) != 0 {
			t.Fatalf("%d replies, %d records", len(turn.Replies), len(turn.Records))
		}
	}
	// A member id that is never used is forgotten with its session.
	for i := range 100 {
		id := fmt.Sprint(i)
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version, req.Group, req.ProtocolType, req.SessionTimeoutMillis = 9, id, "consumer", 10_000
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
		s.Do(now, 1, id, func(g *group.State, t *turn.Turn) { g.Join(t, group.Client{}, req) })
	}
	if s.Len() != 100 {
		t.Fatalf("%d groups wait for their members, want 100", s.Len())
	}
	end := now.Add(24 * time.Hour)
	for at := s.Deadline(); !at.IsZero(); at = s.Deadline() {
		if at.After(end) {
			t.Fatalf("still a deadline, at %v", at)
		}
		s.Tick(at)
	}
	if s.Len() != 0 {
		t.Errorf("%d groups are left", s.Len())
	}
}

// Every event's records are one batch, and another shard that replays them
// knows the same. The same events give the same bytes.
func TestShardIsItsLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type commit struct {
			id     string
			offset int64
		}
		events := rapid.SliceOf(rapid.Custom(func(t *rapid.T) commit {
			return commit{fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "group")), rapid.Int64Range(0, 9).Draw(t, "offset")}
		})).Draw(rt, "events")
		var logs [2][]record.Batch
		var shards [2]*GroupShard
		for i := range shards {
			now := time.UnixMilli(1_700_000_000_000)
			shards[i] = NewGroupShard(shardOptions())
			for _, e := range events {
				now = now.Add(time.Hour)
				logs[i] = append(logs[i], tickUntil(rt, shards[i], now)...)
				id, event := commitEvent(e.id, e.offset)
				logs[i] = append(logs[i], batch(rt, shards[i], shards[i].Do(now, 1, id, event)))
			}
		}
		if !slices.EqualFunc(logs[0], logs[1], func(a, b record.Batch) bool { return bytes.Equal(a, b) }) {
			rt.Fatal("the same events gave different logs")
		}
		replayed := NewGroupShard(shardOptions())
		for _, b := range logs[0] {
			if err := replayed.Load(b, time.UnixMilli(0)); err != nil {
				rt.Fatal(err)
			}
		}
		if here, there := positions(shards[0]), positions(replayed); !slices.Equal(here, there) {
			rt.Fatalf("live %v, replayed %v", here, there)
		}
	})
}

func tickUntil(t *rapid.T, s *GroupShard, now time.Time) []record.Batch {
	var list []record.Batch
	for at := s.Deadline(); !at.IsZero() && !at.After(now); at = s.Deadline() {
		if b := batch(t, s, s.Tick(now)); b != nil {
			list = append(list, b)
		}
	}
	return list
}

func batch(t *rapid.T, s *GroupShard, turn *turn.Turn) record.Batch {
	b, err := s.Batch(turn)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

func positions(s *GroupShard) []string {
	var list []string
	for g := range s.All() {
		g.Offsets(func(topic string, partition int32, offset int64) {
			list = append(list, fmt.Sprintf("%s %s-%d=%d", g.ID(), topic, partition, offset))
		})
	}
	return list
}

// Records of newer kinds of groups are left alone, broken ones are reported
// with their place.
func TestLoadJudgesRecords(t *testing.T) {
	build := func(key, value []byte) record.Batch {
		var b record.Builder
		b.Append(record.Record{Key: key, Value: value})
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		batch.Stamp(42, 0)
		return batch
	}
	s := NewGroupShard(shardOptions())
	if err := s.Load(build([]byte{0, 11, 0, 1, 'g'}, nil), time.Time{}); err != nil || s.skipped != 1 {
		t.Errorf("a share group's record: %v, %d skipped", err, s.skipped)
	}
	err := s.Load(build([]byte{0, 1, 0, 9}, nil), time.Time{})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("offset 42")) {
		t.Errorf("a broken record: %v, want its offset", err)
	}
}
