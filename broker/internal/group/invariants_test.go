package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// crowd plays random clients against one group and holds the group against
// what must be true after every event.
type crowd struct {
	t          *rapid.T
	opts       Options
	s          *State
	now        time.Time
	log        []Record
	waiting    map[Ticket]bool
	next       Ticket
	known      []string // member ids handed out
	generation int32
}

func newCrowd(t *rapid.T) *crowd {
	c := &crowd{t: t, now: time.UnixMilli(1_700_000_000_000), waiting: map[Ticket]bool{}}
	c.opts = Options{
		InitialRebalanceDelay: rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(t, "delay"),
		MaxSessionTimeout:     time.Hour, MaxMetadata: 10, MaxSize: rapid.SampledFrom([]int{0, 3}).Draw(t, "max"),
		OffsetRetention: time.Hour,
		NewMemberID: func(prefix string) string {
			id := fmt.Sprintf("%s-%d", prefix, len(c.known))
			c.known = append(c.known, id)
			return id
		},
	}
	c.s = New("g", &c.opts)
	return c
}

func (c *crowd) event(f func(*Turn)) {
	c.next++
	turn := &Turn{}
	turn.Reset(c.now, c.next)
	c.waiting[c.next] = true
	f(turn)
	c.took(turn)
}

func (c *crowd) took(turn *Turn) {
	for _, rec := range turn.Records {
		key, value := rec.Encode()
		back, err := Decode(key, value)
		if err != nil {
			c.t.Fatalf("a record does not decode: %v", err)
		}
		c.log = append(c.log, back)
	}
	for _, r := range turn.Replies {
		if !c.waiting[r.To] {
			c.t.Fatalf("reply %T to request %d, which does not wait", r.Body, r.To)
		}
		delete(c.waiting, r.To)
	}
}

func (c *crowd) pick() (id string, instance *string) {
	id = ""
	if len(c.known) > 0 {
		id = rapid.SampledFrom(append([]string{""}, c.known...)).Draw(c.t, "member")
	}
	if m := c.s.members.byID[id]; m != nil {
		return id, optional(m.instance)
	}
	if rapid.IntRange(0, 3).Draw(c.t, "static") == 0 {
		instance = optional(rapid.SampledFrom([]string{"i1", "i2"}).Draw(c.t, "instance"))
	}
	return id, instance
}

func (c *crowd) join(*rapid.T) {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = int16(rapid.IntRange(3, 9).Draw(c.t, "version"))
	req.MemberID, req.InstanceID = c.pick()
	req.SessionTimeoutMillis = int32(rapid.IntRange(1, 20).Draw(c.t, "session") * 1000)
	req.RebalanceTimeoutMillis = int32(rapid.IntRange(1, 60).Draw(c.t, "rebalance") * 1000)
	req.ProtocolType = "consumer"
	for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"range", "sticky", "x"}), 1, 3).Draw(c.t, "protocols") {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: []byte("m")})
	}
	c.event(func(t *Turn) { c.s.Join(t, Client{ID: "c"}, req) })
}

func (c *crowd) sync(*rapid.T) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.MemberID, req.InstanceID = c.pick()
	req.Generation = c.s.generation
	for _, m := range c.s.members.order {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.id, MemberAssignment: []byte(m.id)})
	}
	c.event(func(t *Turn) { c.s.Sync(t, req) })
}

func (c *crowd) heartbeat(*rapid.T) {
	id, instance := c.pick()
	c.event(func(t *Turn) {
		c.s.Heartbeat(t, &BeatRequest{MemberID: id, InstanceID: instance, Generation: c.s.generation})
	})
}

func (c *crowd) leave(*rapid.T) {
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = c.pick()
	c.event(func(t *Turn) { c.s.Leave(t, &LeaveRequest{Members: []kmsg.LeaveGroupRequestMember{m}}) })
}

func (c *crowd) commit(*rapid.T) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.MemberID, req.InstanceID = c.pick()
	if req.MemberID != "" {
		req.Generation = c.s.generation
	}
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition = int32(rapid.IntRange(0, 2).Draw(c.t, "partition"))
	p.Offset = int64(rapid.IntRange(0, 100).Draw(c.t, "offset"))
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	c.event(func(t *Turn) { c.s.Commit(t, req) })
}

func (c *crowd) tick(*rapid.T) {
	c.pass(time.Duration(rapid.IntRange(1, 30_000).Draw(c.t, "ms")) * time.Millisecond)
}

func (c *crowd) pass(d time.Duration) {
	c.now = c.now.Add(d)
	turn := &Turn{Now: c.now}
	if at := c.s.Deadline(); !at.IsZero() && !at.After(c.now) {
		c.s.Tick(turn)
	}
	c.took(turn)
}

func (c *crowd) expire(*rapid.T) {
	turn := &Turn{Now: c.now}
	c.s.ExpireOffsets(turn)
	c.took(turn)
	if c.s.Phase() == Dead {
		c.s, c.log, c.generation = New("g", &c.opts), nil, 0
	}
}

// check is what must hold between any two events.
func (c *crowd) check(*rapid.T) {
	c.parked()
	c.replay()
	if c.s.generation < c.generation {
		c.t.Fatalf("generation %d after %d", c.s.generation, c.generation)
	}
	c.generation = c.s.generation
	s := c.s
	switch s.phase { //nolint:exhaustive // a classic group has no others
	case Stable, CompletingRebalance:
		if s.members.byID[s.leader] == nil {
			c.t.Fatalf("%v under leader %q, which is no member", s.phase, s.leader)
		}
		if !s.members.common(s.protocol) {
			c.t.Fatalf("%v by %q, which not all members speak", s.phase, s.protocol)
		}
		if s.members.joining > 0 {
			c.t.Fatalf("%v while %d members wait to join", s.phase, s.members.joining)
		}
	case PreparingRebalance:
		if s.joinBy.IsZero() {
			c.t.Fatal("a rebalance without an end")
		}
	case Empty:
		if s.members.size() > 0 {
			c.t.Fatalf("empty with %d members", s.members.size())
		}
	case Dead:
	}
	if max := c.opts.MaxSize; max > 0 && s.phase == CompletingRebalance && s.members.size() > max+len(s.members.byInstance) {
		c.t.Fatalf("%d members, at most %d allowed", s.members.size(), max)
	}
}

// parked: every request waits in exactly one place or has been answered.
func (c *crowd) parked() {
	found, joining := map[Ticket]bool{}, 0
	for _, m := range c.s.members.order {
		for _, ticket := range []Ticket{m.join, m.sync} {
			if ticket != 0 && found[ticket] {
				c.t.Fatalf("request %d waits twice", ticket)
			}
			if ticket != 0 {
				found[ticket] = true
			}
		}
		if m.join != 0 {
			joining++
		}
		if m.join == 0 && m.sync == 0 && (c.s.wake.IsZero() || c.s.wake.After(m.deadline)) {
			c.t.Fatalf("the group wakes at %v, after the session of %s ends at %v", c.s.wake, m.id, m.deadline)
		}
	}
	if diff := cmp.Diff(c.waiting, found); diff != "" {
		c.t.Fatalf("requests waiting (-clients +group):\n%s", diff)
	}
	if joining != c.s.members.joining {
		c.t.Fatalf("%d members wait to join, counted are %d", joining, c.s.members.joining)
	}
}

// replay: another coordinator, reading the log, knows what was agreed here.
func (c *crowd) replay() {
	other := New("g", &c.opts)
	for _, rec := range c.log {
		other.Apply(rec, c.now)
	}
	if diff := cmp.Diff(c.s.offsets, other.offsets, cmp.Transformer("offset", func(p placed) Offset { return p.Offset })); diff != "" {
		c.t.Fatalf("offsets (-here +replayed):\n%s", diff)
	}
	if c.s.phase == Stable || c.s.phase == Empty {
		here, there := c.s.metadata(c.now, nil), other.metadata(c.now, nil)
		if c.s.recorded && c.s.phase == Empty {
			here.Metadata.ProtocolType = there.Metadata.ProtocolType
		}
		if diff := cmp.Diff(here, there); diff != "" && c.s.recorded {
			c.t.Fatalf("group (-here +replayed):\n%s", diff)
		}
	}
}

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCrowd(t)
		t.Repeat(map[string]func(*rapid.T){
			"join": c.join, "join again": c.join, "sync": c.sync, "heartbeat": c.heartbeat,
			"leave": c.leave, "commit": c.commit, "tick": c.tick, "expire": c.expire, "": c.check,
		})
		// Left alone, every group comes to rest, and nobody waits for ever.
		for range 50 {
			c.pass(time.Minute)
			c.check(t)
		}
		if c.s.phase != Empty || len(c.waiting) > 0 {
			t.Fatalf("after 50 minutes of silence: %v with %d requests waiting", c.s.phase, len(c.waiting))
		}
	})
}
