package txn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// A dialogue plays the clients of one transactional id, its log, and the shell
// that writes markers. Producers are written id/epoch; ids are drawn from 1000
// on, in steps of 1000.
type dialogue struct {
	opts   Options
	state  *State
	now    time.Time
	log    [][2][]byte
	ending *Ending
	drawn  int64
}

func newDialogue() *dialogue {
	d := &dialogue{now: time.UnixMilli(1_700_000_000_000)}
	d.opts = Options{MaxTimeout: 15 * time.Minute, Expiration: 7 * 24 * time.Hour}
	d.state = New("tx", &d.opts)
	return d
}

func TestDialogues(t *testing.T) {
	datadriven.Walk(t, "testdata/dialogue", func(t *testing.T, path string) {
		d := newDialogue()
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			return d.play(t, c)
		})
	})
}

// play runs one line of a script and returns what became of it.
func (d *dialogue) play(t *testing.T, c *datadriven.TestData) string {
	a := args{t, c}
	switch c.Cmd {
	case "crash":
		return d.crash(t)
	case "tick":
		return d.tick(a.duration(0))
	case "init":
		req := Init{Timeout: time.Minute, Expected: NoProducer, Fresh: NoID}
		if text, ok := a.value("timeout"); ok {
			req.Timeout = parseDuration(t, text)
		}
		if text, ok := a.value("expected"); ok {
			req.Expected = parseProducer(t, text)
		}
		return d.granted(func(tn *turn.Turn, fresh int64) { req.Fresh = fresh; d.state.Init(tn, &req) })
	case "add":
		return d.do(func(tn *turn.Turn) {
			d.state.Add(tn, &Add{Producer: a.producer(0), Partitions: a.partitions(), Version: a.version()})
		})
	case "verify":
		return d.do(func(tn *turn.Turn) {
			d.state.Verify(tn, &Verify{Producer: a.producer(0), Partitions: a.partitions()})
		})
	case "commit", "abort":
		req := End{Producer: a.producer(0), Commit: c.Cmd == "commit", Version: a.version()}
		return d.granted(func(tn *turn.Turn, fresh int64) { req.Fresh = fresh; d.state.End(tn, &req) })
	case "marked":
		var err error
		if a.has("fail") {
			err = errors.New("disk on fire")
		}
		return d.do(func(tn *turn.Turn) { d.state.Marked(tn, d.ending, err) })
	case "describe":
		return d.do(d.state.Describe)
	case "exhaust": // as if the id had been taken over very often
		m := d.state.m
		m.Producer.Epoch = lastEpoch
		return d.do(func(tn *turn.Turn) { d.state.record(tn, &m) })
	}
	t.Fatalf("%s: unknown command %q", c.Pos, c.Cmd)
	return ""
}

// granted plays an event that may need a producer id, as the shell does.
func (d *dialogue) granted(event func(*turn.Turn, int64)) string {
	out := d.do(func(tn *turn.Turn) { event(tn, NoID) })
	if out != "needs an id\n" {
		return out
	}
	d.drawn += 1000
	return d.do(func(tn *turn.Turn) { event(tn, d.drawn) })
}

func (d *dialogue) do(event func(*turn.Turn)) string {
	tn := &turn.Turn{}
	tn.Reset(d.now, 1)
	event(tn)
	return d.outcome(tn)
}

func (d *dialogue) tick(by time.Duration) string {
	d.now = d.now.Add(by)
	var out strings.Builder
	for at := d.state.Deadline(); !at.IsZero() && !at.After(d.now); at = d.state.Deadline() {
		out.WriteString(d.do(d.state.Tick))
	}
	return out.String()
}

// crash loads the id anew.
func (d *dialogue) crash(t *testing.T) string {
	t.Helper()
	before := d.state
	d.state = New("tx", &d.opts)
	for _, kv := range d.log {
		rec, err := Decode(kv[0], kv[1])
		if err != nil {
			t.Fatal(err)
		}
		d.state.Apply(rec, d.now)
	}
	if diff := cmp.Diff(before.m, d.state.m); diff != "" {
		t.Errorf("live and replayed differ:\n%s", diff)
	}
	return d.tick(0)
}

// outcome shows replies, records and effects.
func (d *dialogue) outcome(tn *turn.Turn) string {
	var out strings.Builder
	for _, rec := range tn.Records {
		key, value := rec.Encode()
		d.log = append(d.log, [2][]byte{key, value})
		fmt.Fprintf(&out, "log: %s\n", d.showMetadata(rec.(*Record).Metadata))
	}
	for _, r := range tn.Replies {
		settled := ""
		if r.Settled && len(tn.Records) > 0 {
			settled = ", when it is committed"
		}
		fmt.Fprintf(&out, "%s%s\n", d.showReply(r.Body), settled)
	}
	for _, e := range tn.Effects {
		d.ending = e.(*Ending)
		kind := "abort"
		if d.ending.Commit {
			kind = "commit"
		}
		fmt.Fprintf(&out, "markers: %s %s to %v\n", kind, showProducer(d.ending.Producer), d.ending.Partitions)
	}
	return out.String()
}

func (d *dialogue) showReply(body any) string {
	switch r := body.(type) {
	case Granted:
		switch {
		case r.NeedsID:
			return "needs an id"
		case r.Err != nil:
			return r.Err.Message
		}
		return "producer " + showProducer(r.Producer)
	case *kerr.Error:
		if r == nil {
			return "ok"
		}
		return r.Message
	case Verdict:
		switch {
		case r.Err != nil:
			return r.Err.Message
		case len(r.Missing) > 0:
			return fmt.Sprintf("missing: %v", r.Missing)
		}
		return "ok"
	case Description:
		if r.Err != nil {
			return r.Err.Message
		}
		return d.showMetadata(&r.Metadata)
	}
	return fmt.Sprintf("%T", body)
}

func (d *dialogue) showMetadata(m *Metadata) string {
	if m == nil {
		return "tombstone"
	}
	out := fmt.Sprintf("%v %s %v", m.Phase, showProducer(m.Producer), m.Partitions)
	if m.Previous != none {
		out += fmt.Sprintf(" previous=%d", m.Previous)
	}
	if m.Next != none {
		out += fmt.Sprintf(" next=%d", m.Next)
	}
	if m.Version != 0 {
		out += fmt.Sprintf(" v%d", m.Version)
	}
	return out
}

func showProducer(p turn.Producer) string { return fmt.Sprintf("%d/%d", p.ID, p.Epoch) }

// args reads the words of a command: bare ones by position, others by name.
type args struct {
	t *testing.T
	c *datadriven.TestData
}

func (a args) value(name string) (string, bool) {
	for _, arg := range a.c.CmdArgs {
		if arg.Key == name && len(arg.Vals) == 1 {
			return arg.Vals[0], true
		}
	}
	return "", false
}

func (a args) has(word string) bool {
	for _, arg := range a.c.CmdArgs {
		if arg.Key == word {
			return true
		}
	}
	return false
}

func (a args) version() int16 {
	if a.has("v2") {
		return 2
	}
	return 0
}

func (a args) duration(i int) time.Duration { return parseDuration(a.t, a.c.CmdArgs[i].Key) }

func (a args) producer(i int) turn.Producer { return parseProducer(a.t, a.c.CmdArgs[i].Key) }

func (a args) partitions() []Partition {
	var list []Partition
	for _, arg := range a.c.CmdArgs {
		topic, index, ok := strings.Cut(arg.Key, "-")
		if n, err := strconv.Atoi(index); ok && err == nil {
			list = append(list, Partition{topic, int32(n)})
		}
	}
	return list
}

func parseDuration(t *testing.T, text string) time.Duration {
	t.Helper()
	v, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parseProducer(t *testing.T, text string) turn.Producer {
	t.Helper()
	var p turn.Producer
	if _, err := fmt.Sscanf(text, "%d/%d", &p.ID, &p.Epoch); err != nil {
		t.Fatalf("producer %q: %v", text, err)
	}
	return p
}
