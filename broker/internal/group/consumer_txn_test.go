package group

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func commitTxn(s *State, now time.Time, member string, epoch int32, partition int32) *kerr.Error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.Group, req.ProducerID, req.MemberID, req.Generation = 3, "g", 77, member, epoch
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, 5
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "a", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	turn := &Turn{Now: now, Request: 1}
	s.CommitTxn(turn, req)
	code := turn.Replies[0].Body.(*TxnCommitResponse).Topics[0].Partitions[0].ErrorCode
	return kerr.TypedErrorForCode(code)
}

func consumerState() (*State, func(member string, epoch int32, owned ...int32)) {
	topics := &fakeTopics{version: 1, partitions: map[string]int32{"a": 2}}
	s := New("g", &Options{
		MaxMetadata: 10, MaxSessionTimeout: time.Hour, NewMemberID: func(prefix string) string { return prefix },
		Topics:   func() (Topics, uint64) { return topics, topics.version },
		Consumer: ConsumerOptions{Timing: Timing{SessionTimeout: time.Minute}, Migration: Migration{Upgrade: true, Downgrade: true}},
	})
	return s, func(member string, epoch int32, owned ...int32) {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", member, epoch
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.Topics = 60_000, []string{"a"}, []OwnedTopic{}
		if len(owned) > 0 {
			req.Topics = append(req.Topics, OwnedTopic{TopicID: idOf("a"), Partitions: owned})
		}
		s.ConsumerHeartbeat(&Turn{Now: time.UnixMilli(1), Request: 1}, Client{ID: "c"}, req, nil)
	}
}

// KIP-447 with the consumer protocol: a member that has lost a partition is
// fenced for it, and for that one alone (KIP-1251).
func TestItem84_TransactionsCarryTheEpoch(t *testing.T) {
	s, beat := consumerState()
	now := time.UnixMilli(1)
	beat("m1", joinEpoch)
	for _, c := range []struct {
		member string
		epoch  int32
		want   *kerr.Error
	}{{"m1", 1, nil}, {"m1", 2, kerr.IllegalGeneration}, {"m1", -1, kerr.IllegalGeneration}, {"m9", 1, kerr.UnknownMemberID}} {
		if got := commitTxn(s, now, c.member, c.epoch, 1); got != c.want {
			t.Errorf("%s in epoch %d: %v, want %v", c.member, c.epoch, got, c.want)
		}
	}
	beat("m2", joinEpoch)
	beat("m1", 1, 0, 1)
	beat("m1", 1, 0)
	if got := commitTxn(s, now, "m1", 1, 0); got != nil {
		t.Errorf("for what it has kept: %v", got)
	}
	if got := commitTxn(s, now, "m1", 1, 1); got != kerr.IllegalGeneration {
		t.Errorf("for what it has given up: %v, want %v", got, kerr.IllegalGeneration)
	}
}

// Offsets in an open transaction outlive the change of the protocol, also in
// the log: the group is not forgotten between the records of the change.
func TestItem84_MigrationKeepsOpenTransactions(t *testing.T) {
	s, _ := consumerState()
	now := time.UnixMilli(1)
	s.ApplyUnstable(&OffsetRecord{Group: "g", Topic: "a", Offset: &Offset{At: 5}}, 77)
	s.Apply(&MetadataRecord{Group: "g", Metadata: &Metadata{ProtocolType: "consumer"}}, now)
	s.Apply(&MetadataRecord{Group: "g"}, now)
	if s.Gone() {
		t.Fatal("gone after the classic group's tombstone")
	}
	s.Apply(&EpochRecord{Group: "g", Epoch: &Epoch{At: 1}}, now)
	s.Apply(&EpochRecord{Group: "g"}, now)
	if s.Gone() {
		t.Fatal("gone after the consumer group's tombstone")
	}
	s.Complete(77, true, now)
	if offset, ok := s.offsets.at("a", 0); !ok || offset.At != 5 {
		t.Errorf("the committed offset is %v", offset)
	}
}
