package group

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// consumers plays clients of the consumer protocol that follow its rules, and
// clients of the classic protocol among them, while topics change and replies
// are lost. What they own is what the replies have told them.
type consumers struct {
	*crowd
	topics  *fakeTopics
	clients map[string]*consumerClient
	born    int
}

// A consumerClient is what a client knows of itself.
type consumerClient struct {
	id     string
	epoch  int32
	owns   map[TopicID]map[int32]bool
	wanted map[TopicID]map[int32]bool // what the last reply assigned
	reads  []string
	// pattern is what it reads besides.
	pattern string
}

func newConsumers(t *rapid.T) *consumers {
	c := &consumers{crowd: newCrowd(t), clients: map[string]*consumerClient{}}
	c.topics = &fakeTopics{version: 1, partitions: map[string]int32{"a": 3, "b": 2}}
	c.opts.Topics = func() (Topics, uint64) { return c.topics, c.topics.version }
	c.opts.Consumer = ConsumerOptions{
		Timing:    Timing{HeartbeatInterval: 5 * time.Second, SessionTimeout: 45 * time.Second},
		MaxSize:   rapid.SampledFrom([]int{0, 4}).Draw(t, "max consumers"),
		Migration: Migration{Upgrade: true, Downgrade: true},
	}
	c.opts.MaxSize = 0
	return c
}

func (c *consumers) pickClient() *consumerClient {
	ids := slices.Sorted(maps.Keys(c.clients))
	if len(ids) == 0 {
		return nil
	}
	return c.clients[rapid.SampledFrom(ids).Draw(c.t, "client")]
}

func (c *consumers) reads() []string {
	return names(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(c.t, "reads"))
}

func (c *consumers) pattern() string {
	return rapid.SampledFrom([]string{"", "", "[ab]", "b|c"}).Draw(c.t, "pattern")
}

// match is what a pattern means now.
func (c *consumers) match(pattern string) *Match {
	compiled, err := CompilePattern(pattern)
	if err != nil {
		c.t.Fatal(err)
	}
	return &Match{Version: c.topics.version, Topics: names(MatchTopics(compiled, c.topics.Names()))}
}

// enter is a new client's first heartbeat, or that of one that was fenced.
func (c *consumers) enter(*rapid.T) {
	c.born++
	client := &consumerClient{id: fmt.Sprint("n", c.born), reads: c.reads(), pattern: c.pattern()}
	c.beat(client, false)
}

// step is a heartbeat by which a client acknowledges what it was told.
func (c *consumers) step(*rapid.T) {
	if client := c.pickClient(); client != nil {
		client.owns = client.wanted
		c.beat(client, false)
	}
}

// lose is a heartbeat whose reply is lost: the client learns nothing.
func (c *consumers) lose(*rapid.T) {
	if client := c.pickClient(); client != nil {
		client.owns = client.wanted
		c.beat(client, true)
	}
}

func (c *consumers) resubscribe(*rapid.T) {
	if client := c.pickClient(); client != nil {
		client.reads, client.pattern = c.reads(), c.pattern()
		client.owns = client.wanted
		c.beat(client, false)
	}
}

func (c *consumers) beat(client *consumerClient, lost bool) {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", client.id, client.epoch
	req.RebalanceTimeoutMillis = 30_000
	req.SubscribedTopicNames = append([]string{}, client.reads...)
	req.SubscribedTopicRegex = &client.pattern
	var match *Match
	if client.pattern != "" {
		match = c.match(client.pattern)
	}
	req.Topics = []OwnedTopic{}
	for id, partitions := range client.owns {
		req.Topics = append(req.Topics, OwnedTopic{TopicID: id, Partitions: slices.Sorted(maps.Keys(partitions))})
	}
	var resp *ConsumerBeatResponse
	var stale []string
	c.event(func(t *Turn) {
		stale = c.s.ConsumerHeartbeat(t, Client{ID: "c"}, req, match)
		resp = t.Replies[len(t.Replies)-1].Body.(*ConsumerBeatResponse)
	})
	for _, pattern := range stale {
		c.event(func(t *Turn) { c.s.Matched(t, pattern, c.match(pattern)) })
	}
	switch {
	case resp.ErrorCode != 0:
		delete(c.clients, client.id) // it abandons all and may come as another
	case lost && client.epoch == 0:
	case lost:
		c.clients[client.id] = client
	default:
		c.clients[client.id] = client
		client.epoch = resp.MemberEpoch
		if resp.Assignment != nil {
			client.wanted = map[TopicID]map[int32]bool{}
			for _, t := range resp.Assignment.Topics {
				client.wanted[t.TopicID] = map[int32]bool{}
				for _, p := range t.Partitions {
					client.wanted[t.TopicID][p] = true
				}
			}
			// What is new may be read at once.
			client.owns = merge(client.owns, client.wanted)
		}
	}
}

func merge(a, b map[TopicID]map[int32]bool) map[TopicID]map[int32]bool {
	all := map[TopicID]map[int32]bool{}
	for _, m := range []map[TopicID]map[int32]bool{a, b} {
		for id, partitions := range m {
			if all[id] == nil {
				all[id] = map[int32]bool{}
			}
			maps.Copy(all[id], partitions)
		}
	}
	return all
}

func (c *consumers) quit(*rapid.T) {
	if client := c.pickClient(); client != nil {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.MemberEpoch = 1, "g", client.id, leaveEpoch
		c.event(func(t *Turn) { c.s.ConsumerHeartbeat(t, Client{ID: "c"}, req, nil) })
		delete(c.clients, client.id)
	}
}

// old is a join and a sync of the classic protocol.
func (c *consumers) old(*rapid.T) {
	id, _ := c.pick()
	said := kmsg.NewConsumerMemberMetadata()
	said.Topics = c.reads()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID = 3, "g", id
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 20_000, 30_000
	req.ProtocolType = "consumer"
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: said.AppendTo(nil)}}
	c.event(func(t *Turn) { c.s.Join(t, Client{ID: "c"}, req) })
	if id == "" {
		return
	}
	generation := c.s.generation
	if c.s.consumer != nil && c.s.consumer.members[id] != nil {
		generation = c.s.consumer.members[id].current.Epoch
	}
	c.event(func(t *Turn) { c.s.Sync(t, &SyncRequest{MemberID: id, Generation: generation}) })
	c.event(func(t *Turn) { c.s.Heartbeat(t, &BeatRequest{MemberID: id, Generation: generation}) })
}

func (c *consumers) alter(*rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(c.t, "topic")
	c.topics.version++
	if rapid.IntRange(0, 3).Draw(c.t, "delete") == 0 {
		delete(c.topics.partitions, name)
		return
	}
	c.topics.partitions[name] += 2
}

func (c *consumers) check(t *rapid.T) {
	c.parked()
	c.exclusive()
	if c.s.consumer == nil {
		return
	}
	c.owners()
	c.replayConsumer()
}

// exclusive: no partition is read by two clients that the group knows.
func (c *consumers) exclusive() {
	reader := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(c.clients)) {
		if c.s.consumer == nil || c.s.consumer.members[id] == nil {
			continue // expelled, and about to be told
		}
		for topic, partitions := range c.clients[id].owns {
			for p := range partitions {
				at := fmt.Sprintf("%s-%d", nameOf(topic), p)
				if other, ok := reader[at]; ok {
					c.t.Fatalf("%s is read by %s and %s", at, other, id)
				}
				reader[at] = id
			}
		}
	}
}

// owners: the indexes are what members say, and epochs are in order.
func (c *consumers) owners() {
	g := c.s.consumer
	want, users := map[TopicID]map[int32]string{}, map[string]int{}
	for _, m := range g.members {
		if m.info.Pattern != "" {
			users[m.info.Pattern]++
		}
		for _, h := range []Holding{m.current.Assigned, m.current.Revoking} {
			for id, partitions := range h {
				if want[id] == nil {
					want[id] = map[int32]string{}
				}
				for p := range partitions {
					want[id][p] = m.id
				}
			}
		}
		if m.current.Epoch > g.assigned || g.assigned > g.epoch {
			c.t.Fatalf("%s is in epoch %d, the target's is %d, the group's %d", m.id, m.current.Epoch, g.assigned, g.epoch)
		}
		for _, at := range m.deadlines() {
			if !at.IsZero() && (c.s.wake.IsZero() || c.s.wake.After(at)) {
				c.t.Fatalf("the group wakes at %v, and %s has something due at %v", c.s.wake, m.id, at)
			}
		}
	}
	if diff := cmp.Diff(want, g.owners); diff != "" {
		c.t.Fatalf("owners (-members +index):\n%s", diff)
	}
	if diff := cmp.Diff(users, g.users); diff != "" {
		c.t.Fatalf("members by pattern (-members +index):\n%s", diff)
	}
}

// replayConsumer: another coordinator, reading the log, knows all of it.
func (c *consumers) replayConsumer() {
	other := New("g", &c.opts)
	for _, rec := range c.log {
		other.Apply(rec, c.now)
	}
	ignore := cmp.Options{
		cmp.AllowUnexported(consumerGroup{}, consumerMember{}, protocol{}),
		cmpopts.IgnoreFields(consumerGroup{}, "seen", "matched"),
		cmpopts.IgnoreFields(consumerMember{}, "deadline", "revokeBy", "joinBy", "syncBy"),
		cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(c.s.consumer, other.consumer, ignore); diff != "" {
		c.t.Fatalf("group (-here +replayed):\n%s", diff)
	}
}

// Whatever clients do, no two read one partition, the log tells everything, and
// clients that are left alone come to a stable end at which all is assigned.
func TestItem84_Invariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newConsumers(t)
		t.Repeat(map[string]func(*rapid.T){
			"enter": c.enter, "step": c.step, "step again": c.step, "lose": c.lose, "resubscribe": c.resubscribe,
			"quit": c.quit, "old": c.old, "alter": c.alter, "tick": c.tick, "": c.check,
		})
		for range 20 {
			for _, id := range slices.Sorted(maps.Keys(c.clients)) {
				c.clients[id].owns = c.clients[id].wanted
				c.beat(c.clients[id], false)
			}
			c.check(t)
			c.pass(6 * time.Second)
		}
		c.settled()
	})
}

// settled: the clients that are left own every partition that one of them reads.
func (c *consumers) settled() {
	if len(c.clients) == 0 {
		return
	}
	if phase := c.s.Phase(); phase != Stable {
		c.t.Fatalf("%v after two minutes of heartbeats", phase)
	}
	owned := map[string]bool{}
	for _, client := range c.clients {
		for id, partitions := range client.owns {
			for p := range partitions {
				owned[fmt.Sprintf("%s-%d", nameOf(id), p)] = true
			}
		}
	}
	for _, client := range c.clients {
		reads := client.reads
		if client.pattern != "" {
			reads = append(slices.Clone(reads), c.match(client.pattern).Topics...)
		}
		for _, name := range reads {
			for p := range c.topics.partitions[name] {
				if at := fmt.Sprintf("%s-%d", name, p); !owned[at] {
					c.t.Fatalf("%s is read by nobody", at)
				}
			}
		}
	}
}
