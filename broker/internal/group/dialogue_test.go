package group

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A dialogue plays the clients of one group and its log. Members are called
// m1, m2 ... in scripts: a name stands for the member id that the coordinator
// gave to it last.
type dialogue struct {
	opts  Options
	state *State
	now   time.Time
	log   [][2][]byte

	ids     map[string]string // name -> member id
	waiting map[Ticket]string // what waits -> "m1 join"
	next    Ticket
	minted  int

	topics *fakeTopics      // of the consumer protocol, see consumer_dialogue_test.go
	epochs map[string]int32 // name -> member epoch
}

func newDialogue() *dialogue {
	d := &dialogue{now: time.UnixMilli(1_700_000_000_000), ids: map[string]string{}, waiting: map[Ticket]string{}, epochs: map[string]int32{}}
	d.opts = Options{
		MinSessionTimeout: time.Second, MaxSessionTimeout: time.Hour,
		OffsetRetention: 7 * 24 * time.Hour, MaxMetadata: 16,
		NewMemberID: func(prefix string) string { d.minted++; return fmt.Sprintf("%s-%d", prefix, d.minted) },
	}
	d.state = New("g", &d.opts)
	return d
}

// play runs one line of a script and returns what became of it.
func (d *dialogue) play(t *testing.T, c *datadriven.TestData) string {
	a := parse(t, c)
	switch c.Cmd {
	case "options":
		d.options(t, a)
		d.consumerOptions(a)
		return ""
	case "topics":
		d.setTopics(a)
		return ""
	case "describe-consumer":
		return d.describeConsumer()
	case "describe":
		return d.describe(a)
	case "crash":
		return d.crash()
	case "tick":
		return d.tick(t, a)
	}
	turn := d.turn(strings.TrimSpace(a.who + " " + c.Cmd))
	switch c.Cmd {
	case "beat":
		d.beat(t, turn, a)
	case "join":
		d.state.Join(turn, Client{ID: a.get("client", "c"), Host: "/10.0.0.1"}, d.joinRequest(a))
	case "sync":
		d.state.Sync(turn, d.syncRequest(a))
	case "heartbeat":
		d.state.Heartbeat(turn, &BeatRequest{Generation: a.generation(d), MemberID: d.id(a), InstanceID: a.instance()})
	case "leave":
		d.state.Leave(turn, d.leaveRequest(a))
	case "commit":
		d.state.Commit(turn, d.commitRequest(a))
	case "fetch":
		d.state.Fetch(turn, fetchRequest(a), false)
	case "forget":
		d.state.Forget(turn, forgetRequest(a))
	case "delete":
		d.state.Delete(turn)
	case "expire-offsets":
		d.state.ExpireOffsets(turn)
	default:
		t.Fatalf("%s: unknown command %q", c.Pos, c.Cmd)
	}
	return d.outcome(turn)
}

func (d *dialogue) turn(what string) *Turn {
	d.next++
	d.waiting[d.next] = what
	turn := &Turn{}
	turn.Reset(d.now, d.next)
	return turn
}

// outcome shows replies and records, and "waits" where this request has none.
func (d *dialogue) outcome(turn *Turn) string {
	var out []string
	for _, rec := range turn.Records {
		key, value := rec.Encode()
		d.log = append(d.log, [2][]byte{key, value})
		out = append(out, "log: "+d.showRecord(rec.(Record)))
	}
	for _, r := range turn.Replies {
		what, ok := d.waiting[r.To]
		if !ok {
			out = append(out, fmt.Sprintf("REPLY TO NOBODY (%d)", r.To))
		}
		delete(d.waiting, r.To)
		out = append(out, what+": "+d.show(what, r))
	}
	if what, ok := d.waiting[turn.Request]; ok {
		if strings.HasPrefix(what, "tick") || what == "expire-offsets" {
			delete(d.waiting, turn.Request)
		} else {
			out = append(out, what+": waits")
		}
	}
	return strings.Join(append(out, ""), "\n")
}

func (d *dialogue) options(t *testing.T, a args) {
	d.opts.InitialRebalanceDelay = a.duration("initial-delay", d.opts.InitialRebalanceDelay)
	d.opts.OffsetRetention = a.duration("retention", d.opts.OffsetRetention)
	if v := a.get("max-size", ""); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		d.opts.MaxSize = n
	}
}

// tick lets time pass, stopping wherever the group asks for it.
func (d *dialogue) tick(t *testing.T, a args) string {
	by, err := time.ParseDuration(a.who)
	if err != nil {
		t.Fatal(err)
	}
	end, out := d.now.Add(by), ""
	for {
		at := d.state.Deadline()
		if at.IsZero() || at.After(end) {
			d.now = end
			return out
		}
		if at.After(d.now) {
			d.now = at
		}
		turn := d.turn("tick")
		d.state.Tick(turn)
		out += d.outcome(turn)
		if next := d.state.Deadline(); !next.IsZero() && !next.After(d.now) {
			t.Fatalf("after a tick the deadline %v is not in the future", next)
		}
	}
}

// crash forgets everything but the log.
func (d *dialogue) crash() string {
	d.state = New("g", &d.opts)
	for _, kv := range d.log {
		rec, err := Decode(kv[0], kv[1])
		if err != nil {
			return err.Error()
		}
		d.state.Apply(rec, d.now)
	}
	clear(d.waiting)
	return d.state.Phase().String() + "\n"
}

func (d *dialogue) describe(args) string {
	turn := d.turn("describe")
	d.state.Describe(turn)
	delete(d.waiting, turn.Request)
	g := turn.Replies[0].Body.(Description)
	out := fmt.Sprintf("%s generation %d type %q protocol %q\n", g.State, d.state.generation, g.ProtocolType, g.Protocol)
	for _, m := range g.Members {
		out += fmt.Sprintf("%s instance=%s client=%s%s metadata=%q assignment=%q\n",
			d.name(m.MemberID), deref(m.InstanceID), m.ClientID, m.ClientHost, m.ProtocolMetadata, m.MemberAssignment)
	}
	if n := len(d.state.pending); n > 0 {
		out += fmt.Sprintf("pending %d\n", n)
	}
	return out
}

// ---- requests

func (d *dialogue) joinRequest(a args) *JoinRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = int16(a.number("v", 9))
	req.Group = "g"
	req.SessionTimeoutMillis = int32(a.duration("session", 10*time.Second).Milliseconds())
	req.RebalanceTimeoutMillis = int32(a.duration("rebalance", time.Minute).Milliseconds())
	req.MemberID = d.id(a)
	req.InstanceID = a.instance()
	req.ProtocolType = a.get("type", "consumer")
	for _, name := range a.list("protocols", "range") {
		metadata := []byte(a.get("metadata", a.who))
		if topics := a.list("topics", ""); len(topics) > 0 {
			m := kmsg.NewConsumerMemberMetadata()
			m.Version = 1
			m.Topics = topics
			for _, tp := range a.some("owned") {
				at := strings.LastIndex(tp, "-")
				p, _ := strconv.Atoi(tp[at+1:])
				m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: tp[:at], Partitions: []int32{int32(p)}})
			}
			metadata = m.AppendTo(nil)
		}
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: metadata})
	}
	return req
}

func (d *dialogue) syncRequest(a args) *SyncRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.InstanceID = "g", d.id(a), a.instance()
	req.Generation = a.generation(d)
	if v := a.get("protocol", ""); v != "" {
		req.Protocol = &v
	}
	for _, each := range a.list("assign", "") {
		name, what, _ := strings.Cut(each, ":")
		assignment := []byte(what)
		if a.has("consumer") {
			assignment = consumerAssignment(what)
		}
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: d.ids[name], MemberAssignment: assignment})
	}
	return req
}

func (d *dialogue) leaveRequest(a args) *LeaveRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = "g"
	for _, name := range append([]string{a.who}, a.list("and", "")...) {
		m := kmsg.NewLeaveGroupRequestMember()
		if instance, ok := strings.CutPrefix(name, "instance:"); ok {
			m.InstanceID = &instance
		} else {
			m.MemberID, m.InstanceID = d.ids[name], a.instance()
		}
		req.Members = append(req.Members, m)
	}
	return req
}

// commitRequest reads "commit m1 t-0=5 t-1=9"; without a name it is a simple
// consumer's.
func (d *dialogue) commitRequest(a args) *CommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version = int16(a.number("v", 9))
	req.Group, req.Generation, req.MemberID, req.InstanceID = "g", -1, d.id(a), a.instance()
	if req.MemberID != "" {
		req.Generation = a.generation(d)
	}
	req.RetentionTimeMillis = a.duration("retention", -time.Millisecond).Milliseconds()
	for _, tp := range a.partitions() {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = tp.partition, tp.offset
		if v := a.get("metadata", ""); v != "" {
			p.Metadata = &v
		}
		req.Topics = append(req.Topics, kmsg.OffsetCommitRequestTopic{Topic: tp.topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}})
	}
	return req
}

func fetchRequest(a args) *FetchRequest {
	req := &FetchRequest{Group: "g", MemberID: a.optional("member"), MemberEpoch: int32(a.number("epoch", -1))}
	for _, tp := range a.partitions() {
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: tp.topic, Partitions: []int32{tp.partition}})
	}
	return req
}

func forgetRequest(a args) *ForgetRequest {
	req := &ForgetRequest{Group: "g"}
	for _, tp := range a.partitions() {
		req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: tp.topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: tp.partition}}})
	}
	return req
}

// ---- what came of it

func errorName(code int16) string {
	var e *kerr.Error
	if err := kerr.ErrorForCode(code); errors.As(err, &e) {
		return e.Message
	}
	return "ok"
}

func (d *dialogue) show(what string, r Reply) string {
	late := ""
	if r.Settled {
		late = " (settled)"
	}
	switch b := r.Body.(type) {
	case *JoinResponse:
		return d.showJoin(what, b) + late
	case *SyncResponse:
		if b.ErrorCode != 0 {
			return errorName(b.ErrorCode) + late
		}
		return fmt.Sprintf("assigned %s by %s%s", showClassic(b.MemberAssignment), deref(b.Protocol), late)
	case *ConsumerBeatResponse:
		return d.showBeat(what, b) + late
	case *BeatResponse:
		return errorName(b.ErrorCode) + late
	case *LeaveResponse:
		var out []string
		for _, m := range b.Members {
			out = append(out, errorName(m.ErrorCode))
		}
		return strings.Join(out, " ") + late
	case *CommitResponse:
		var out []string
		for _, t := range b.Topics {
			for _, p := range t.Partitions {
				out = append(out, fmt.Sprintf("%s-%d %s", t.Topic, p.Partition, errorName(p.ErrorCode)))
			}
		}
		return strings.Join(out, ", ") + late
	case FetchResponse:
		return showFetch(b) + late
	case *ForgetResponse:
		return showForget(b) + late
	case int16:
		return errorName(b) + late
	}
	return fmt.Sprintf("%T", r.Body)
}

func (d *dialogue) showJoin(what string, b *JoinResponse) string {
	name, _, _ := strings.Cut(what, " ")
	if b.MemberID != "" && b.ErrorCode != kerr.FencedInstanceID.Code {
		d.ids[name] = b.MemberID
	}
	if b.ErrorCode != 0 {
		return strings.TrimSpace(errorName(b.ErrorCode) + " " + b.MemberID)
	}
	out := fmt.Sprintf("generation %d by %s, leader %s", b.Generation, deref(b.Protocol), d.name(b.LeaderID))
	if len(b.Members) > 0 {
		out += " of"
		for _, m := range b.Members {
			metadata := string(m.ProtocolMetadata)
			if strings.Contains(metadata, "\x00") {
				metadata = "topics"
			}
			out += fmt.Sprintf(" %s(%s)", d.name(m.MemberID), metadata)
		}
	}
	if b.SkipAssignment {
		out += ", skip assignment"
	}
	return out
}

func showFetch(b FetchResponse) string {
	var out []string
	for _, t := range b.Topics {
		for _, p := range t.Partitions {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s-%d=%d %s", t.Topic, p.Partition, p.Offset, deref(p.Metadata))))
		}
	}
	return errorName(b.ErrorCode) + " " + strings.Join(out, ", ")
}

func showForget(b *ForgetResponse) string {
	out := []string{errorName(b.ErrorCode)}
	for _, t := range b.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d %s", t.Topic, p.Partition, errorName(p.ErrorCode)))
		}
	}
	return strings.Join(out, ", ")
}

func (d *dialogue) showRecord(rec Record) string {
	switch rec := rec.(type) {
	case *OffsetRecord:
		if rec.Offset == nil {
			return fmt.Sprintf("%s-%d deleted", rec.Topic, rec.Partition)
		}
		return fmt.Sprintf("%s-%d=%d", rec.Topic, rec.Partition, rec.Offset.At)
	case *MetadataRecord:
		if rec.Metadata == nil {
			return "group deleted"
		}
		out := fmt.Sprintf("generation %d", rec.Metadata.Generation)
		for _, m := range rec.Metadata.Members {
			out += fmt.Sprintf(" %s=%s", d.name(m.ID), showClassic(m.Assignment))
		}
		return out
	case consumerRecord:
		return d.showConsumerRecord(rec)
	}
	return "?"
}

func (d *dialogue) name(id string) string {
	var names []string
	for name, is := range d.ids {
		if is == id {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return id
	}
	return slices.Min(names)
}

// ---- arguments

type args struct {
	who    string // the first word, if it is not key=value
	values map[string][]string
	keys   []string
}

type topicPartition struct {
	topic     string
	partition int32
	offset    int64
}

func parse(t *testing.T, c *datadriven.TestData) args {
	t.Helper()
	a := args{values: map[string][]string{}}
	for i, arg := range c.CmdArgs {
		if i == 0 && len(arg.Vals) == 0 && !strings.Contains(arg.Key, "-") {
			a.who = arg.Key
			continue
		}
		a.values[arg.Key] = arg.Vals
		a.keys = append(a.keys, arg.Key)
	}
	return a
}

func (a args) get(key, otherwise string) string {
	if v, ok := a.values[key]; ok {
		return strings.Join(v, ",")
	}
	return otherwise
}

func (a args) list(key, otherwise string) []string {
	if v, ok := a.values[key]; ok {
		return v
	}
	if otherwise == "" {
		return nil
	}
	return []string{otherwise}
}

func (a args) number(key string, otherwise int) int {
	if n, err := strconv.Atoi(a.get(key, "")); err == nil {
		return n
	}
	return otherwise
}

func (a args) duration(key string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(a.get(key, "")); err == nil {
		return d
	}
	return otherwise
}

func (a args) instance() *string {
	if v := a.get("instance", ""); v != "" {
		return &v
	}
	return nil
}

func (a args) generation(d *dialogue) int32 {
	return int32(a.number("generation", int(d.state.generation)))
}

// partitions are the arguments like t-0=5 or t-0.
func (a args) partitions() []topicPartition {
	var list []topicPartition
	for _, key := range a.keys {
		i := strings.LastIndex(key, "-")
		if i < 0 {
			continue
		}
		p, err := strconv.Atoi(key[i+1:])
		if err != nil {
			continue
		}
		list = append(list, topicPartition{topic: key[:i], partition: int32(p), offset: int64(a.number(key, 0))})
	}
	return list
}

// id is the member id under which the script's member speaks: id=... overrides.
func (d *dialogue) id(a args) string {
	if v, ok := a.values["id"]; ok {
		return strings.Join(v, "")
	}
	return d.ids[a.who]
}
