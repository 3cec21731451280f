package coordinator

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/internal/group"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testOptions() GroupOptions {
	return GroupOptions{Group: group.Options{
		MinSessionTimeout: time.Second, MaxSessionTimeout: time.Hour,
		OffsetRetention: 24 * time.Hour, MaxMetadata: 4096,
	}}
}

// running runs a Runtime that leads the only partition, in a bubble of virtual
// time, until the test is over.
func running(t *testing.T, test func(t *testing.T, r *Groups, log *memLog)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, log := NewGroups(testOptions()), &memLog{}
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = r.Run(ctx) })
		r.Lead(0, 1, log)
		if err := r.AwaitLoaded(ctx); err != nil {
			t.Fatal(err)
		}
		test(t, r, log)
		cancel()
		run.Wait()
	})
}

// An inbox takes the one reply of a request.
type inbox[R any] chan R

func asked[R any](ask func(func(R))) inbox[R] {
	in := make(inbox[R], 2)
	ask(func(r R) { in <- r })
	return in
}

// waits asserts that there is no reply, whatever the others do meanwhile.
func (in inbox[R]) waits(t *testing.T, why string) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-in:
		t.Fatalf("%s: answered %+v too early", why, r)
	default:
	}
}

// answer asserts that there is exactly one reply.
func (in inbox[R]) answer(t *testing.T) R {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-in:
		if len(in) > 0 {
			t.Fatal("answered twice")
		}
		return r
	default:
		t.Fatal("no answer")
		panic("unreachable")
	}
}

func commit(r *Groups, id string, offset int64) inbox[*group.CommitResponse] {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, id, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	return asked(func(reply func(*group.CommitResponse)) { r.OffsetCommit(context.Background(), req, reply) })
}

func fetch(r *Groups, id string) inbox[group.FetchResponse] {
	req := group.FetchRequest{Group: id, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}
	return asked(func(reply func(group.FetchResponse)) { r.OffsetFetch(context.Background(), req, false, reply) })
}

func join(r *Groups, id, member string, session time.Duration) inbox[*group.JoinResponse] {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 3, id, member, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(session.Milliseconds()), 60_000
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	return asked(func(reply func(*group.JoinResponse)) { r.JoinGroup(context.Background(), "c", "/h", req, reply) })
}

func syncGroup(r *Groups, id, member string, generation int32) inbox[*group.SyncResponse] {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = id, member, generation
	req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member, MemberAssignment: []byte("a")}}
	return asked(func(reply func(*group.SyncResponse)) { r.SyncGroup(context.Background(), req, reply) })
}

func heartbeat(r *Groups, id, member string, generation int32) inbox[*group.BeatResponse] {
	req := &group.BeatRequest{Group: id, MemberID: member, Generation: generation}
	return asked(func(reply func(*group.BeatResponse)) { r.Heartbeat(context.Background(), req, reply) })
}

func describe(r *Groups, id string) inbox[group.Description] {
	return asked(func(reply func(group.Description)) { r.DescribeGroup(context.Background(), id, reply) })
}

func commitCode(r *group.CommitResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode }

func fetchedOffset(r group.FetchResponse) int64 { return r.Topics[0].Partitions[0].Offset }

// What a crash could take back is not shown to anyone: neither to who committed
// it nor to who reads it.
func TestRepliesWaitForTheLog(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, log *memLog) {
		committed := commit(r, "g", 5)
		committed.waits(t, "commit before the flush")
		fetched := fetch(r, "g")
		fetched.waits(t, "fetch of an offset before its flush")
		if n := len(r.Positions()); n != 1 {
			t.Errorf("%d positions, want 1", n)
		}
		log.commit()
		if code := commitCode(committed.answer(t)); code != 0 {
			t.Errorf("commit: code %d", code)
		}
		if got := fetchedOffset(fetched.answer(t)); got != 5 {
			t.Errorf("fetched %d, want 5", got)
		}
		if got := fetchedOffset(fetch(r, "g").answer(t)); got != 5 {
			t.Errorf("with nothing in flight: fetched %d, want 5", got)
		}
	})
}

func TestHeartbeatsDoNotWait(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, log *memLog) {
		m := join(r, "g", "", time.Minute).answer(t)
		synced := syncGroup(r, "g", m.MemberID, m.Generation)
		synced.waits(t, "assignment before the flush")
		if code := heartbeat(r, "g", m.MemberID, m.Generation).answer(t).ErrorCode; code != 0 {
			t.Errorf("heartbeat: code %d", code)
		}
		log.commit()
		if got := string(synced.answer(t).MemberAssignment); got != "a" {
			t.Errorf("assigned %q, want a", got)
		}
	})
}

// A failed append means that the groups know more than the log: what waits is
// refused, and the groups are those of the log again.
func TestFailedAppendDropsAndReloads(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, log *memLog) {
		first := commit(r, "g", 5)
		log.commit()
		first.answer(t)

		join(r, "h", "", time.Minute).answer(t)
		parked := join(r, "h", "", time.Minute)
		parked.waits(t, "second member before the first is back")
		held := commit(r, "g", 6)
		held.waits(t, "commit before the flush")
		log.failAppends(errDisk)
		if code := commitCode(commit(r, "g", 7).answer(t)); code != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("failed commit: code %d", code)
		}
		if code := commitCode(held.answer(t)); code != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("commit that waited: code %d", code)
		}
		if code := parked.answer(t).ErrorCode; code != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("join that waited: code %d", code)
		}

		log.failAppends(nil)
		log.commit()
		<-time.After(2 * retryLoad)
		if got := fetchedOffset(fetch(r, "g").answer(t)); got != 6 {
			t.Errorf("after the reload: fetched %d, want 6, which the log has", got)
		}
		if got := describe(r, "h").answer(t).State; got != "Dead" {
			t.Errorf("group that never reached the log is %s", got)
		}
	})
}

func TestItem81_LostLeadership(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, log *memLog) {
		held := commit(r, "g", 6)
		log.lose(fmt.Errorf("deposed: %w", ErrNotLeader))
		if code := commitCode(held.answer(t)); code != kerr.NotCoordinator.Code {
			t.Errorf("commit that waited: code %d", code)
		}
		r.Resign(0)
		if code := commitCode(commit(r, "g", 7).answer(t)); code != kerr.NotCoordinator.Code {
			t.Errorf("commit after the resignation: code %d", code)
		}
		if _, code := r.ListGroups(); code != 0 {
			t.Errorf("listing nothing: code %d", code)
		}
	})
}

// A new leader shows what its predecessor appended only when that is committed.
func TestNewLeaderWaitsForTheTail(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, log *memLog) {
		commit(r, "g", 5).waits(t, "commit before the flush")
		r.Lead(0, 1, log)
		synctest.Wait()
		fetched := fetch(r, "g")
		fetched.waits(t, "offset in the uncommitted tail")
		log.commit()
		if got := fetchedOffset(fetched.answer(t)); got != 5 {
			t.Errorf("fetched %d, want 5", got)
		}
	})
}

func TestItem81_LoadInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := NewGroups(testOptions()), &memLog{automatic: true, unread: errDisk}
		if code := commitCode(commit(r, "g", 1).answer(t)); code != kerr.NotCoordinator.Code {
			t.Errorf("before anything is led: code %d", code)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = r.Run(ctx) })
		r.Lead(0, 1, log)
		if err := r.AwaitLoaded(ctx); err != nil { // it does not keep the broker from starting
			t.Fatal(err)
		}
		if code := commitCode(commit(r, "g", 1).answer(t)); code != kerr.CoordinatorLoadInProgress.Code {
			t.Errorf("while the log cannot be read: code %d", code)
		}
		if _, code := r.ListGroups(); code != kerr.CoordinatorLoadInProgress.Code {
			t.Errorf("listing: code %d", code)
		}
		log.mu.Lock()
		log.unread = nil
		log.mu.Unlock()
		<-time.After(2 * retryLoad)
		if code := commitCode(commit(r, "g", 1).answer(t)); code != 0 {
			t.Errorf("after the load: code %d", code)
		}
		cancel()
		run.Wait()
		if code := commitCode(commit(r, "g", 1).answer(t)); code != kerr.CoordinatorNotAvailable.Code {
			t.Errorf("after the end: code %d", code)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, log *memLog) {
		log.automatic = true
		m := join(r, "g", "", 10*time.Second).answer(t)
		syncGroup(r, "g", m.MemberID, m.Generation).answer(t)
		for range 10 {
			<-time.After(9 * time.Second)
			if code := heartbeat(r, "g", m.MemberID, m.Generation).answer(t).ErrorCode; code != 0 {
				t.Fatalf("heartbeat in time: code %d", code)
			}
		}
		<-time.After(11 * time.Second)
		if code := heartbeat(r, "g", m.MemberID, m.Generation).answer(t).ErrorCode; code != kerr.UnknownMemberID.Code {
			t.Errorf("heartbeat after the session: code %d", code)
		}
		// The group and its offsets are forgotten a day later, and then nothing
		// is left that could wake the broker.
		if n := len(r.Positions()); n != 0 {
			t.Errorf("%d positions", n)
		}
		<-time.After(25 * time.Hour)
		if list, _ := r.ListGroups(); len(list) != 0 {
			t.Errorf("groups left: %v", list)
		}
		if at := r.due.time(); !at.IsZero() {
			t.Errorf("an idle coordinator wakes at %v", at)
		}
	})
}

// Offsets survive a coordinator that is gone, in Kafka's own records.
func TestTakeOver(t *testing.T) {
	log := &memLog{automatic: true}
	for i := range int64(3) {
		synctest.Test(t, func(t *testing.T) {
			r := NewGroups(testOptions())
			ctx, cancel := context.WithCancel(t.Context())
			var run sync.WaitGroup
			run.Go(func() { _ = r.Run(ctx) })
			r.Lead(0, 1, log)
			if err := r.AwaitLoaded(ctx); err != nil {
				t.Fatal(err)
			}
			if got := fetchedOffset(fetch(r, "g").answer(t)); got != i-1 {
				t.Errorf("coordinator %d: fetched %d, want %d", i, got, i-1)
			}
			commit(r, "g", i).answer(t)
			cancel()
			run.Wait()
		})
	}
	if log.size() != 3 {
		t.Errorf("log end %d, want 3", log.size())
	}
}

func TestGroupsArePartitioned(t *testing.T) {
	running(t, func(t *testing.T, r *Groups, _ *memLog) {
		const n = 5
		logs := make([]*memLog, n)
		for p := range logs {
			logs[p] = &memLog{automatic: true}
			r.Lead(int32(p), n, logs[p])
		}
		if err := r.AwaitLoaded(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			id := fmt.Sprintf("group-%d", i)
			p := PartitionFor(id, n)
			before := logs[p].size()
			commit(r, id, int64(i)).answer(t)
			if logs[p].size() != before+1 {
				t.Errorf("%s did not go to partition %d", id, p)
			}
		}
		if list, code := r.ListGroups(); len(list) != 50 || code != 0 {
			t.Errorf("%d groups listed, code %d", len(list), code)
		}
		if list := r.Positions(); len(list) != 50 {
			t.Errorf("%d positions", len(list))
		}
	})
}

// Commits from many clients at once: each is answered once, and what was
// answered is there.
func TestConcurrentCommits(t *testing.T) {
	r, log := NewGroups(testOptions()), &memLog{}
	ctx, cancel := context.WithCancel(t.Context())
	var run, clients sync.WaitGroup
	run.Go(func() { _ = r.Run(ctx) })
	r.Lead(0, 1, log)
	if err := r.AwaitLoaded(ctx); err != nil {
		t.Fatal(err)
	}
	flushing := make(chan struct{})
	run.Go(func() {
		for {
			select {
			case <-flushing:
				return
			default:
				log.commit()
			}
		}
	})
	for c := range 8 {
		clients.Go(func() {
			id := fmt.Sprintf("group-%d", c)
			for i := range int64(100) {
				if code := commitCode(<-commit(r, id, i)); code != 0 {
					t.Errorf("commit: code %d", code)
				}
				if got := fetchedOffset(<-fetch(r, id)); got != i {
					t.Errorf("fetched %d, want %d", got, i)
				}
			}
		})
	}
	clients.Wait()
	close(flushing)
	cancel()
	run.Wait()
}

func txnCommit(r *Groups, producer int64, epoch int16, offset int64) inbox[int16] {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Group, req.ProducerID, req.ProducerEpoch = "g", producer, epoch
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: offset}}}}
	return asked(func(reply func(int16)) {
		agree := func(done func(*kerr.Error)) { done(nil) }
		r.TxnOffsetCommit(context.Background(), req, agree, func(resp *group.TxnCommitResponse) {
			reply(resp.Topics[0].Partitions[0].ErrorCode)
		})
	})
}
