package sim

import (
	"bytes"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/replica"
	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/internal/record"
)

// sessionTimeout is longer than any run lasts in virtual time: what a member
// loses it loses by a recovery.
const sessionTimeout = 1000 * time.Hour

// A seat is the simulation's shell of one coordinator shard, as
// coordinator.Groups is the broker's: append, then hold replies back until
// the log has committed them.
type seat struct {
	shard *coordinator.GroupShard
	log   *replica.Partition
	at    partitionID
	last  replica.AppendResult // of the last append, or of the load
	asked map[turn.Ticket]func(body any) error
	next  turn.Ticket
}

// do hands an event to a group, and its reply to the caller when it may leave.
func (w *World) do(s *seat, id string, event func(*group.State, *turn.Turn), reply func(body any) error) error {
	s.next++
	s.asked[s.next] = reply
	return w.took(s, s.shard.Do(w.now, s.next, id, event))
}

// took appends what a turn decided and sends its replies.
func (w *World) took(s *seat, t *turn.Turn) error {
	if ok, err := w.appendTurn(s, t); !ok || err != nil {
		return err
	}
	for _, r := range t.Replies {
		reply, ok := s.asked[r.To]
		if !ok {
			return fmt.Errorf("%v: reply %T to nobody", s.at, r.Body)
		}
		delete(s.asked, r.To)
		if !r.Settled || s.last.LastOffset < 0 {
			if err := reply(r.Body); err != nil {
				return err
			}
			continue
		}
		body := r.Body
		w.await(s.log, s.last, func() error {
			if w.life.seats[s.at] != s {
				return nil // refused when the shard was dropped
			}
			return reply(body)
		})
	}
	return nil
}

// appendTurn reports false when the log failed and the shard with it.
func (w *World) appendTurn(s *seat, t *turn.Turn) (bool, error) {
	batch, err := s.shard.Batch(t)
	if err != nil || batch == nil {
		return err == nil, err
	}
	batch = bytes.Clone(batch)
	m := w.logs[s.at]
	_, epoch := s.log.Leader()
	m.append(bytes.Clone(batch), epoch)
	res, err := s.log.Append(batch, replica.AppendRequest{Acks: replica.AcksAll, LeaderEpoch: -1, Internal: true})
	if w.dead() {
		return false, nil
	}
	w.trace.add("%v: %d records at %d: %v", s.at, len(t.Records), res.BaseOffset, err)
	if err != nil {
		m.undo()
		return false, w.reload(s, err)
	}
	s.last = res
	return true, nil
}

// reload drops a shard that knows more than its log, with all that waits in
// it, and makes another out of the log.
func (w *World) reload(s *seat, err error) error {
	delete(w.life.seats, s.at)
	if err := w.refused(s.at.String(), s.log, err); err != nil || w.life.sick {
		return err
	}
	return w.life.coordinate(s.at, s.log)
}

// load makes a shard out of its log, to the end and not only to the high
// watermark: what the end shows is held back until it is committed.
func (w *World) load(at partitionID, p *replica.Partition) (*seat, error) {
	_, epoch := p.Leader()
	s := &seat{
		shard: coordinator.NewGroupShard(&w.plan.coordinator), log: p, at: at,
		last:  replica.AppendResult{LastOffset: p.LogEnd() - 1, LeaderEpoch: epoch},
		asked: map[turn.Ticket]func(any) error{},
	}
	return s, eachBatch(p, func(b record.Batch) error { return s.shard.Load(b, w.now) })
}

// A worker is a client of one group: a member that commits in its generation,
// or a simple consumer that commits without one.
type worker struct {
	group   string
	simple  bool
	offsets []*offsetModel
	// instance makes the member a static one: after a recovery it takes its
	// own place again.
	instance   *string
	memberID   string
	generation int32
	joining    *seat // where a join is under way
	// agreed is set once the group's generation with this member in it was
	// shown to it: no recovery may forget that.
	agreed bool
}

// work is one thing that a worker does.
func (w *World) work(k *worker) error {
	s := w.life.seatOf(k.group)
	if s == nil {
		return nil
	}
	o := k.offsets[w.steps.IntN(len(k.offsets))]
	switch r := w.steps.IntN(10); {
	case r < 3:
		return w.fetchOffset(s, o)
	case !k.simple && !k.agreed:
		if k.joining == s {
			return nil
		}
		return w.joinGroup(s, k)
	case !k.simple && r == 3:
		return w.heartbeat(s, k)
	default:
		return w.commitOffset(s, k, o)
	}
}

func (w *World) commitOffset(s *seat, k *worker, o *offsetModel) error {
	o.sent++
	offset := o.sent
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation, req.MemberID = 8, k.group, -1, k.memberID
	if !k.simple {
		req.Generation, req.InstanceID = k.generation, k.instance
	}
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = o.partition, offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: o.topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	return w.do(s, k.group, func(g *group.State, t *turn.Turn) { g.Commit(t, req) }, func(body any) error {
		if code := body.(*group.CommitResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
			return fmt.Errorf("commit of %s was refused with code %d", k.group, code)
		}
		w.trace.add("%s: offset %d of %s-%d acked", k.group, offset, o.topic, o.partition)
		o.acked(offset)
		w.commits++
		return nil
	})
}

func (w *World) fetchOffset(s *seat, o *offsetModel) error {
	floor := o.floor
	req := &group.FetchRequest{Group: o.group, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: o.topic, Partitions: []int32{o.partition}}}}
	return w.do(s, o.group, func(g *group.State, t *turn.Turn) { g.Fetch(t, req, false) }, func(body any) error {
		offset := body.(group.FetchResponse).Topics[0].Partitions[0].Offset
		w.trace.add("%s: offset %d of %s-%d shown", o.group, offset, o.topic, o.partition)
		return o.shown(offset, floor)
	})
}

// joinGroup makes the worker the only member of its group, which it is when
// its assignment is settled.
func (w *World) joinGroup(s *seat, k *worker) error {
	k.joining = s
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.InstanceID, req.ProtocolType = 8, k.group, k.instance, "consumer"
	req.SessionTimeoutMillis = int32(sessionTimeout.Milliseconds() / 2)
	req.RebalanceTimeoutMillis = req.SessionTimeoutMillis
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("all")}}
	return w.do(s, k.group, func(g *group.State, t *turn.Turn) { g.Join(t, group.Client{ID: "worker"}, req) }, func(body any) error {
		joined := body.(*group.JoinResponse)
		if joined.ErrorCode != 0 {
			return fmt.Errorf("join of %s: code %d", k.group, joined.ErrorCode)
		}
		return w.syncGroup(s, k, joined)
	})
}

func (w *World) syncGroup(s *seat, k *worker, joined *group.JoinResponse) error {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = k.group, joined.MemberID, k.instance, joined.Generation
	req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte("all")}}
	return w.do(s, k.group, func(g *group.State, t *turn.Turn) { g.Sync(t, req) }, func(body any) error {
		if resp := body.(*group.SyncResponse); resp.ErrorCode != 0 || string(resp.MemberAssignment) != "all" {
			return fmt.Errorf("sync of %s: code %d, assigned %q", k.group, resp.ErrorCode, resp.MemberAssignment)
		}
		k.memberID, k.generation, k.agreed = joined.MemberID, joined.Generation, true
		w.trace.add("%s: generation %d agreed", k.group, k.generation)
		return nil
	})
}

func (w *World) heartbeat(s *seat, k *worker) error {
	req := &group.BeatRequest{Group: k.group, MemberID: k.memberID, InstanceID: k.instance, Generation: k.generation}
	return w.do(s, k.group, func(g *group.State, t *turn.Turn) { g.Heartbeat(t, req) }, func(body any) error {
		if code := body.(*group.BeatResponse).ErrorCode; code != 0 {
			return fmt.Errorf("group %s has forgotten generation %d that was agreed: code %d", k.group, k.generation, code)
		}
		return nil
	})
}
