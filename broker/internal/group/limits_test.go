package group

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What would not fit into one batch is refused to who sends it: if the log
// refused it, every group of the partition would be loaded anew.
func TestOversizedTurns(t *testing.T) {
	s, members, now := stable(t, 2)

	// 4 MiB of request can ask for gigabytes of records.
	commit := &CommitRequest{Version: 8, Group: strings.Repeat("g", 30_000), MemberID: members[0], Generation: s.generation, RetentionTimeMillis: -1}
	topic := kmsg.OffsetCommitRequestTopic{Topic: "t", Partitions: make([]kmsg.OffsetCommitRequestTopicPartition, 100_000)}
	commit.Topics = append(commit.Topics, topic)
	turn := &Turn{Now: now, Request: 1}
	s.Commit(turn, commit)
	if code := turn.Replies[0].Body.(*CommitResponse).Topics[0].Partitions[0].ErrorCode; code != kerr.InvalidCommitOffsetSize.Code {
		t.Errorf("commit: code %d, want %v", code, kerr.InvalidCommitOffsetSize)
	}
	if len(turn.Records) != 0 {
		t.Errorf("%d records", len(turn.Records))
	}

	for i, id := range members {
		turn = &Turn{Now: now, Request: Ticket(2 + i)}
		s.Join(turn, Client{}, &JoinRequest{Version: 3, MemberID: id, SessionTimeoutMillis: 45_000, RebalanceTimeoutMillis: 60_000,
			ProtocolType: "consumer", Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("other")}}})
	}
	if s.phase != CompletingRebalance {
		t.Fatalf("%v after all have joined", s.phase)
	}
	turn = &Turn{Now: now, Request: 9}
	s.Sync(turn, &SyncRequest{MemberID: s.leader, Generation: s.generation, GroupAssignment: []kmsg.SyncGroupRequestGroupAssignment{
		{MemberID: s.leader, MemberAssignment: make([]byte, maxTurnBytes)},
	}})
	if code := turn.Replies[0].Body.(*SyncResponse).ErrorCode; code != kerr.UnknownServerError.Code {
		t.Errorf("sync: code %d, want %v", code, kerr.UnknownServerError)
	}
	if s.phase != PreparingRebalance || len(turn.Records) != 0 {
		t.Errorf("%v with %d records after an assignment that is too large", s.phase, len(turn.Records))
	}
}
