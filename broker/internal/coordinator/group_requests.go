package coordinator

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/turn"
)

// The requests of the group APIs. Each calls reply exactly once, possibly
// before it returns, on any goroutine and with no lock held. The request
// belongs to the callee. What a client waits for when its connection ends is
// answered all the same: the group would not forget its member earlier for it.

// JoinGroup replies when the rebalance that it begins or joins is complete.
func (g *Groups) JoinGroup(_ context.Context, clientID, clientHost string, req *group.JoinRequest, reply func(*group.JoinResponse)) {
	client := group.Client{ID: clientID, Host: clientHost}
	refuse := func(err *kerr.Error) *group.JoinResponse { return group.RefuseJoin(req, err) }
	submit(g.Runtime, req.Group, refuse, reply, func(s *group.State, t *turn.Turn) { s.Join(t, client, req) })
}

// SyncGroup replies when the leader has brought the assignment and the log has
// it.
func (g *Groups) SyncGroup(_ context.Context, req *group.SyncRequest, reply func(*group.SyncResponse)) {
	submit(g.Runtime, req.Group, group.RefuseSync, reply, func(s *group.State, t *turn.Turn) { s.Sync(t, req) })
}

// Heartbeat replies at once.
func (g *Groups) Heartbeat(_ context.Context, req *group.BeatRequest, reply func(*group.BeatResponse)) {
	submit(g.Runtime, req.Group, group.RefuseHeartbeat, reply, func(s *group.State, t *turn.Turn) { s.Heartbeat(t, req) })
}

// LeaveGroup replies at once.
func (g *Groups) LeaveGroup(_ context.Context, req *group.LeaveRequest, reply func(*group.LeaveResponse)) {
	submit(g.Runtime, req.Group, group.RefuseLeave, reply, func(s *group.State, t *turn.Turn) { s.Leave(t, req) })
}

// OffsetCommit replies when the commit is committed itself.
func (g *Groups) OffsetCommit(_ context.Context, req *group.CommitRequest, reply func(*group.CommitResponse)) {
	refuse := func(err *kerr.Error) *group.CommitResponse { return group.RefuseCommit(req, err) }
	submit(g.Runtime, req.Group, refuse, reply, func(s *group.State, t *turn.Turn) { s.Commit(t, req) })
}

// joiningCommit is the first version of TxnOffsetCommit that makes the group's
// partition a part of the transaction (transactions v2).
const joiningCommit = 5

// TxnOffsetCommit replies when the offsets are in the log, pending. It calls
// join, which asks the coordinator of the transaction about the group's
// partition, and may answer at any time.
//
// A producer that was fenced, or whose transaction has ended meanwhile, is
// refused before the group decides: a log that refuses what was decided costs
// all groups of the partition a reload. Markers come through the same seat, so
// nothing comes between the check and the append.
func (g *Groups) TxnOffsetCommit(_ context.Context, req *group.TxnCommitRequest, join func(done func(*kerr.Error)), reply func(*group.TxnCommitResponse)) {
	refuse := func(err *kerr.Error) *group.TxnCommitResponse { return group.RefuseTxnCommit(req, err) }
	producer := turn.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch}
	var guard Guard
	if s, err := g.seat(req.Group); err == nil {
		guard = s.log.VerifyProducer(producer)
	}
	admit := func(log Log) *kerr.Error {
		if req.Version >= joiningCommit {
			// The marker of the transaction before may have come while the
			// coordinator was asked, and taken the guard with it. It has this
			// transaction's epoch, and this one's marker a newer.
			guard = log.VerifyProducer(producer)
		}
		return admission(log.CheckProducer(producer, guard))
	}
	join(func(err *kerr.Error) {
		if err != nil {
			reply(refuse(err))
			return
		}
		submitIf(g.Runtime, req.Group, admit, refuse, reply, func(s *group.State, t *turn.Turn) { s.CommitTxn(t, req) })
	})
}

// admission is what a producer is told that must not write.
func admission(err error) *kerr.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrFenced):
		return kerr.InvalidProducerEpoch
	case errors.Is(err, ErrNotInTransaction):
		return kerr.InvalidTxnState
	}
	return refusal(err)
}

// OffsetFetch replies when every commit that it shows is committed. With
// stable, offsets that an open transaction may change are refused.
func (g *Groups) OffsetFetch(_ context.Context, req group.FetchRequest, stable bool, reply func(group.FetchResponse)) {
	refuse := func(err *kerr.Error) group.FetchResponse { return group.RefuseFetch(req.Group, err) }
	submit(g.Runtime, req.Group, refuse, reply, func(s *group.State, t *turn.Turn) { s.Fetch(t, &req, stable) })
}

// OffsetDelete deletes offsets that no member needs.
func (g *Groups) OffsetDelete(_ context.Context, req *group.ForgetRequest, reply func(*group.ForgetResponse)) {
	submit(g.Runtime, req.Group, group.RefuseForget, reply, func(s *group.State, t *turn.Turn) { s.Forget(t, req) })
}

// DescribeGroup describes a group. One that nobody knows is Dead.
func (g *Groups) DescribeGroup(_ context.Context, id string, reply func(group.Description)) {
	refuse := func(err *kerr.Error) group.Description { return group.RefuseDescribe(id, err) }
	submit(g.Runtime, id, refuse, reply, func(s *group.State, t *turn.Turn) { s.Describe(t) })
}

// DeleteGroup deletes a group without members, with its offsets.
func (g *Groups) DeleteGroup(_ context.Context, id string, reply func(errorCode int16)) {
	refuse := func(err *kerr.Error) int16 { return err.Code }
	submit(g.Runtime, id, refuse, reply, func(s *group.State, t *turn.Turn) { s.Delete(t) })
}

// ListGroups lists the groups of all shards that are loaded. The error code is
// COORDINATOR_LOAD_IN_PROGRESS while one is not.
func (g *Groups) ListGroups() (list []group.Listing, errorCode int16) {
	for _, s := range g.all() {
		s.mu.Lock()
		if s.shard == nil {
			errorCode = kerr.CoordinatorLoadInProgress.Code
		} else {
			for state := range s.shard.All() {
				list = append(list, state.List())
			}
		}
		s.mu.Unlock()
	}
	return list, errorCode
}

// A Size is how many members a group has, for the metrics.
type Size struct {
	Group, State string
	Members      int
}

// Sizes returns the groups here with their members.
func (g *Groups) Sizes() []Size {
	var list []Size
	for _, s := range g.all() {
		s.mu.Lock()
		if s.shard != nil {
			for state := range s.shard.All() {
				list = append(list, Size{state.ID(), state.Phase().String(), state.Members()})
			}
		}
		s.mu.Unlock()
	}
	return list
}

// A Position is a group's committed offset, for the metrics of its lag.
type Position struct {
	Group     string
	Topic     string
	Partition int32
	Offset    int64
}

// Positions returns the committed offsets of all groups here. They may be
// ahead of what a crash would leave by what is being flushed.
func (g *Groups) Positions() []Position {
	var list []Position
	for _, s := range g.all() {
		s.mu.Lock()
		if s.shard != nil {
			for state := range s.shard.All() {
				state.Offsets(func(topic string, partition int32, offset int64) {
					list = append(list, Position{state.ID(), topic, partition, offset})
				})
			}
		}
		s.mu.Unlock()
	}
	return list
}
