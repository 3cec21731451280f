package group

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The part of a dialogue that speaks the consumer protocol. Topics are made by
// "topics a=3 b=1"; their ids are their first letters.
//
//	beat m1 join topics=(a) owned=()        a full heartbeat with epoch 0
//	beat m1                                 what a member sends every few seconds
//	beat m1 owned=(a-0 a-1)                 it says what it owns
//	beat m1 leave | away

// TestItem84_ConsumerProtocol plays the scripts of the consumer protocol and of
// migrations between both.
func TestItem84_ConsumerProtocol(t *testing.T) {
	datadriven.Walk(t, "testdata/consumer", func(t *testing.T, path string) {
		d := newDialogue()
		d.opts.MinSessionTimeout, d.opts.MaxSessionTimeout = time.Second, time.Hour
		d.opts.Consumer = ConsumerOptions{
			Timing:    Timing{HeartbeatInterval: 5 * time.Second, SessionTimeout: 45 * time.Second},
			Migration: Migration{Upgrade: true, Downgrade: true},
		}
		d.topics = &fakeTopics{version: 1, partitions: map[string]int32{}}
		d.opts.Topics = func() (Topics, uint64) { return d.topics, d.topics.version }
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			return d.play(t, c)
		})
	})
}

type fakeTopics struct {
	version    uint64
	partitions map[string]int32
}

func (f *fakeTopics) Topic(name string) (Topic, bool) {
	n, ok := f.partitions[name]
	return Topic{ID: idOf(name), Name: name, Partitions: n}, ok
}

func (f *fakeTopics) TopicByID(id TopicID) (Topic, bool) { return f.Topic(nameOf(id)) }

func (f *fakeTopics) Names() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(f.partitions)))
}

func idOf(name string) (id TopicID) { copy(id[:], name); return id }
func nameOf(id TopicID) string      { return strings.TrimRight(string(id[:]), "\x00") }

// setTopics reads "topics a=3 b=1 c=gone".
func (d *dialogue) setTopics(a args) {
	d.topics.version++
	for _, name := range a.keys {
		if n := a.number(name, 0); n > 0 {
			d.topics.partitions[name] = int32(n)
		} else {
			delete(d.topics.partitions, name)
		}
	}
}

// consumerOptions reads options of the consumer protocol.
func (d *dialogue) consumerOptions(a args) {
	c := &d.opts.Consumer
	c.SessionTimeout = a.duration("consumer-session", c.SessionTimeout)
	c.MaxSize = a.number("consumer-max-size", c.MaxSize)
	c.Assignors = a.list("assignors", "")
	switch a.get("migration", "") {
	case "none":
		c.Migration = Migration{}
	case "upgrade":
		c.Migration = Migration{Upgrade: true}
	}
}

func (d *dialogue) beat(t *testing.T, turn *Turn, a args) {
	req := d.beatRequest(a)
	var match *Match
	if req.SubscribedTopicRegex != nil && *req.SubscribedTopicRegex != "" {
		match = d.match(t, *req.SubscribedTopicRegex)
	}
	for _, pattern := range d.state.ConsumerHeartbeat(turn, Client{ID: a.get("client", "c"), Host: "/10.0.0.1"}, req, match) {
		more := &Turn{Now: d.now}
		d.state.Matched(more, pattern, d.match(t, pattern))
		turn.Records = append(turn.Records, more.Records...)
	}
}

func (d *dialogue) match(t *testing.T, pattern string) *Match {
	compiled, err := CompilePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return &Match{Version: d.topics.version, Topics: MatchTopics(compiled, d.topics.Names())}
}

func (d *dialogue) beatRequest(a args) *ConsumerBeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version = int16(a.number("v", 1))
	req.Group = d.state.ID()
	req.MemberID = a.get("id", a.who)
	d.ids[a.who] = req.MemberID
	req.InstanceID, req.RackID = a.optional("instance"), a.optional("rack")
	req.MemberEpoch = d.epochs[a.who]
	switch {
	case a.has("join"):
		req.MemberEpoch = joinEpoch
		req.RebalanceTimeoutMillis = int32(a.duration("rebalance", time.Minute).Milliseconds())
		req.Topics = []OwnedTopic{}
	case a.has("leave"):
		req.MemberEpoch = leaveEpoch
	case a.has("away"):
		req.MemberEpoch = awayEpoch
	}
	req.MemberEpoch = int32(a.number("epoch", int(req.MemberEpoch)))
	if a.has("topics") {
		req.SubscribedTopicNames = append([]string{}, a.some("topics")...)
	}
	req.SubscribedTopicRegex, req.ServerAssignor = a.optional("pattern"), a.optional("assignor")
	if a.has("owned") {
		req.Topics = []OwnedTopic{}
		for _, tp := range a.some("owned") {
			at := strings.LastIndex(tp, "-")
			n, _ := strconv.Atoi(tp[at+1:])
			req.Topics = append(req.Topics, OwnedTopic{TopicID: idOf(tp[:at]), Partitions: []int32{int32(n)}})
		}
	}
	return req
}

func (a args) has(key string) bool { _, ok := a.values[key]; return ok }

// some are the values of a key, without the empty one that "key=()" has.
func (a args) some(key string) []string {
	return slices.DeleteFunc(slices.Clone(a.values[key]), func(v string) bool { return v == "" })
}

func (a args) optional(key string) *string {
	if !a.has(key) {
		return nil
	}
	v := a.get(key, "")
	return &v
}

func (d *dialogue) showBeat(what string, b *ConsumerBeatResponse) string {
	name, _, _ := strings.Cut(what, " ")
	if b.ErrorCode != 0 {
		return strings.TrimSpace(errorName(b.ErrorCode) + ": " + deref(b.ErrorMessage))
	}
	d.epochs[name] = b.MemberEpoch
	out := fmt.Sprintf("epoch %d", b.MemberEpoch)
	if b.Assignment == nil {
		return out
	}
	out += ", has"
	for _, t := range b.Assignment.Topics {
		for _, p := range t.Partitions {
			out += fmt.Sprintf(" %s-%d", nameOf(t.TopicID), p)
		}
	}
	return out
}

func (d *dialogue) describeConsumer() string {
	turn := d.turn("describe")
	d.state.DescribeConsumer(turn)
	delete(d.waiting, turn.Request)
	g := turn.Replies[0].Body.(ConsumerDescription)
	if g.ErrorCode != 0 {
		return errorName(g.ErrorCode) + "\n"
	}
	out := fmt.Sprintf("%s epoch %d assigned %d by %s\n", g.State, g.Epoch, g.AssignmentEpoch, g.AssignorName)
	for _, m := range g.Members {
		out += fmt.Sprintf("%s epoch %d", m.MemberID, m.MemberEpoch)
		if m.InstanceID != nil {
			out += " instance " + *m.InstanceID
		}
		if m.MemberType == classicMember {
			out += " classic"
		}
		out += fmt.Sprintf(" reads %v%s has %s, shall have %s\n", m.SubscribedTopics, deref(m.SubscribedTopicRegex), showAssignment(m.Assignment), showAssignment(m.TargetAssignment))
	}
	return out
}

func showAssignment(a kmsg.Assignment) string {
	out := "["
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			out += fmt.Sprintf(" %s-%d", t.Topic, p)
		}
	}
	return out + " ]"
}

func (d *dialogue) showConsumerRecord(rec consumerRecord) string {
	gone := ""
	if rec.tombstone() {
		gone = " deleted"
	}
	switch rec := rec.(type) {
	case *EpochRecord:
		if rec.Epoch != nil {
			return fmt.Sprintf("epoch %d", rec.Epoch.At)
		}
		return "consumer group" + gone
	case *TargetEpochRecord:
		return fmt.Sprintf("target epoch %d%s", rec.Epoch, gone)
	case *MemberRecord:
		return "member " + rec.Member + gone
	case *TargetRecord:
		if rec.Target != nil {
			return fmt.Sprintf("target %s =%s", rec.Member, showHolding(holdingOf(rec.Target, 0)))
		}
		return "target " + rec.Member + gone
	case *CurrentRecord:
		if c := rec.Current; c != nil {
			return fmt.Sprintf("current %s epoch %d after %d %v%s revoking%s", rec.Member, c.Epoch, c.Previous, c.State, showHolding(c.Assigned), showHolding(c.Revoking))
		}
		return "current " + rec.Member + gone
	case *PatternRecord:
		if rec.Match != nil {
			return fmt.Sprintf("pattern %s matches %v", rec.Pattern, rec.Match.Topics)
		}
		return "pattern " + rec.Pattern + gone
	}
	return "legacy" + gone
}

func showHolding(h Holding) string {
	out := " ["
	for _, id := range h.topics() {
		for _, p := range slices.Sorted(maps.Keys(h[id])) {
			out += fmt.Sprintf(" %s-%d", nameOf(id), p)
			if epoch := h[id][p]; epoch != 0 {
				out += fmt.Sprintf("@%d", epoch)
			}
		}
	}
	return out + " ]"
}

// consumerAssignment is "a-0+a-1" as a leader would write it.
func consumerAssignment(what string) []byte {
	var a kmsg.ConsumerMemberAssignment
	for tp := range strings.SplitSeq(what, "+") {
		name, p, _ := strings.Cut(tp, "-")
		n, _ := strconv.Atoi(p)
		a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: name, Partitions: []int32{int32(n)}})
	}
	return a.AppendTo(nil)
}

// showClassic shows an assignment of the classic protocol: as text, or as the
// partitions that it is of.
func showClassic(assignment []byte) string {
	var a kmsg.ConsumerMemberAssignment
	if !strings.Contains(string(assignment), "\x00") || a.ReadFrom(assignment) != nil {
		return fmt.Sprintf("%q", assignment)
	}
	var out []string
	for _, t := range a.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d", t.Topic, p))
		}
	}
	return "[" + strings.Join(out, " ") + "]"
}
