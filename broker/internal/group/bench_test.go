package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stable is a group of n members in a stable generation.
func stable(tb testing.TB, n int) (*State, []string, time.Time) {
	tb.Helper()
	now := time.UnixMilli(1_700_000_000_000)
	ids := 0
	opts := &Options{MaxSessionTimeout: time.Hour, MaxMetadata: 4096, OffsetRetention: time.Hour,
		NewMemberID: func(prefix string) string { ids++; return fmt.Sprintf("%s-%d", prefix, ids) }}
	s := New("g", opts)
	members := make([]string, n)
	for round := range 2 { // the first member is alone in the first generation
		for i := range members {
			t := &Turn{Now: now, Request: Ticket(1 + i + round*n)}
			req := &JoinRequest{Version: 3, MemberID: members[i], SessionTimeoutMillis: 45_000, RebalanceTimeoutMillis: 60_000,
				ProtocolType: "consumer", Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}}
			s.Join(t, Client{ID: "c"}, req)
			for _, m := range s.members.order {
				if members[i] == "" && m.join == t.Request || i == 0 && members[0] == "" {
					members[i] = m.id
				}
			}
		}
	}
	if s.phase != CompletingRebalance {
		tb.Fatalf("%v after all have joined", s.phase)
	}
	t := &Turn{Now: now, Request: 1}
	s.Sync(t, &SyncRequest{MemberID: s.leader, Generation: s.generation})
	if s.phase != Stable || s.members.size() != n {
		tb.Fatalf("%v of %d members", s.phase, s.members.size())
	}
	return s, members, now
}

func BenchmarkHeartbeat(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			s, members, now := stable(b, n)
			req := &BeatRequest{MemberID: members[n-1], Generation: s.generation}
			var t Turn
			b.ReportAllocs()
			for b.Loop() {
				t.Reset(now, 1)
				s.Heartbeat(&t, req)
			}
			if t.Replies[0].Body.(*BeatResponse).ErrorCode != 0 {
				b.Fatal("the heartbeat was refused")
			}
		})
	}
}

// A heartbeat of the consumer protocol that changes nothing looks at one member,
// however many there are.
func BenchmarkConsumerHeartbeat(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			s, beat := consumerState()
			for range 2 {
				for i := range n {
					id := fmt.Sprint("m", i)
					epoch := int32(joinEpoch)
					if s.consumer != nil && s.consumer.members[id] != nil {
						epoch = s.consumer.members[id].current.Epoch
					}
					beat(id, epoch)
				}
			}
			m := s.consumer.members["m0"]
			req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			req.Version, req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = 1, "g", "m0", m.current.Epoch, -1
			client := Client{ID: "c"}
			var t Turn
			b.ReportAllocs()
			for b.Loop() {
				t.Reset(time.UnixMilli(1), 1)
				s.ConsumerHeartbeat(&t, client, req, nil)
			}
			if code := t.Replies[0].Body.(*ConsumerBeatResponse).ErrorCode; code != 0 {
				b.Fatal("the heartbeat was refused: ", kerr.ErrorForCode(code))
			}
		})
	}
}

func BenchmarkCommit(b *testing.B) {
	s, members, now := stable(b, 10)
	req := &CommitRequest{Version: 8, MemberID: members[3], Generation: s.generation, RetentionTimeMillis: -1}
	topic := kmsg.OffsetCommitRequestTopic{Topic: "orders"}
	for p := range int32(10) {
		topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: 1000})
	}
	req.Topics = append(req.Topics, topic)
	var t Turn
	b.ReportAllocs()
	for b.Loop() {
		t.Reset(now, 1)
		s.Commit(&t, req)
	}
	if len(t.Records) != 10 {
		b.Fatalf("%d records", len(t.Records))
	}
}

func BenchmarkRebalance(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			for b.Loop() {
				stable(b, n)
			}
		})
	}
}
