package broker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/internal/vfs"
)

// groupsOnALog leads the only partition of __consumer_offsets.
func groupsOnALog(t *testing.T) (*coordinator.Groups, *replica.Partition) {
	t.Helper()
	disk := vfs.NewMem()
	dir, err := datadir.Open(disk, "data", datadir.Options{NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	set := replica.NewSet(replica.Deps{
		Broker: 1, FS: disk, Files: dir.Files(), Disk: replica.OnDisk(dir), Now: time.Now,
		ProducerExpiry: time.Hour, Logger: slog.New(slog.DiscardHandler), Parallel: 1,
	})
	if err := set.Apply([]replica.Assignment{{
		Topic: offsetsTopic, TopicID: replica.TopicID{1}, Config: replica.Config{PageCache: true, MinISR: 1},
		Leadership: replica.Leadership{Leader: 1, LeaderEpoch: 3, ISR: []int32{1}},
	}}); err != nil {
		t.Fatal(err)
	}
	p, _ := set.Partition(offsetsTopic, 0)
	groups := coordinator.NewGroups(coordinator.GroupOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = groups.Run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := set.Close(); err != nil {
			t.Error(err)
		}
		if err := dir.Close(false); err != nil {
			t.Error(err)
		}
	})
	groups.Lead(0, 1, shardLog{partition: p, epoch: 3})
	if err := groups.AwaitLoaded(ctx); err != nil {
		t.Fatal(err)
	}
	return groups, p
}

// A commit whose coordinator has agreed, but which reaches the log only after
// the transaction's marker, must not open a transaction that nobody would ever
// end: read_committed would never get past it (KIP-890).
func TestItem51_CommitDelayedPastItsMarker(t *testing.T) {
	for _, version := range []int16{0, 4, 5} {
		groups, p := groupsOnALog(t)
		// commit sends offsets, and lets the test act between the coordinator's
		// answer and the append.
		commit := func(epoch int16, meanwhile func()) int16 {
			req := kmsg.NewPtrTxnOffsetCommitRequest()
			req.Version, req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = version, "tx", "g", 7, epoch
			req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 5}}}}
			join := func(done func(*kerr.Error)) {
				meanwhile()
				done(nil)
			}
			code := make(chan int16, 1)
			groups.TxnOffsetCommit(t.Context(), req, join, func(resp *group.TxnCommitResponse) {
				code <- resp.Topics[0].Partitions[0].ErrorCode
			})
			return <-code
		}
		epoch := int16(0)
		mark := func() {
			m := coordinator.Marker{ProducerID: 7, ProducerEpoch: epoch, Commit: true}
			if version >= 5 { // transactions v2: the marker has the next one's epoch
				epoch++
				m.ProducerEpoch, m.Version = epoch, 2
			}
			done := make(chan error, 1)
			groups.WriteMarker(0, m, func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		delayed := kerr.InvalidTxnState
		if version >= 5 {
			delayed = kerr.InvalidProducerEpoch
		}
		nothing := func() {}
		for _, step := range []struct {
			name      string
			meanwhile func()
			want      int16
		}{
			{"the first of a transaction that ends meanwhile", mark, delayed.Code},
			{"the first of the next transaction", nothing, 0},
			{"another one of it", nothing, 0},
			{"one that its end overtakes", mark, delayed.Code},
			{"the first of the last transaction", nothing, 0},
		} {
			if code := commit(epoch, step.meanwhile); code != step.want {
				t.Errorf("v%d: %s: %v, want %v", version, step.name, kerr.TypedErrorForCode(code), kerr.TypedErrorForCode(step.want))
			}
			if ended := step.want != 0; ended != (p.LastStable() == p.LogEnd()) {
				t.Errorf("v%d: %s: the log is stable up to %d and ends at %d", version, step.name, p.LastStable(), p.LogEnd())
			}
		}
	}
}
