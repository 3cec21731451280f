package txn

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/broker/internal/turn"
)

// Clients, two of them with one transactional id, and a coordinator that is
// loaded anew now and then. Whatever they do, an epoch that was fenced decides
// nothing, markers follow the decision that is in the log, and a state is its
// log.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &rivals{rt: rt, opts: Options{MaxTimeout: time.Hour, Expiration: 24 * time.Hour}, now: time.UnixMilli(1_700_000_000_000)}
		w.state = New("tx", &w.opts)
		w.clients = [2]turn.Producer{NoProducer, NoProducer}
		rt.Repeat(map[string]func(*rapid.T){
			"init":   func(*rapid.T) { w.init() },
			"add":    func(*rapid.T) { w.add() },
			"end":    func(*rapid.T) { w.end() },
			"marked": func(*rapid.T) { w.marked() },
			"tick":   func(*rapid.T) { w.tick() },
			"crash":  func(*rapid.T) { w.crash() },
			"":       func(*rapid.T) { w.check() },
		})
	})
}

type rivals struct {
	rt      *rapid.T
	opts    Options
	state   *State
	now     time.Time
	log     []*Record
	clients [2]turn.Producer // what each believes to be
	latest  turn.Producer    // granted last by an init
	ending  *Ending
	fresh   int64
}

func (w *rivals) do(event func(*turn.Turn)) any {
	var tn turn.Turn
	tn.Reset(w.now, 1)
	event(&tn)
	for _, rec := range tn.Records {
		back, err := Decode(rec.Encode())
		if err != nil {
			w.rt.Fatal(err)
		}
		w.log = append(w.log, back)
	}
	for _, e := range tn.Effects {
		w.ending = e.(*Ending)
		m := w.log[len(w.log)-1].Metadata
		if m.Phase != prepare(w.ending.Commit) || m.Producer != w.ending.Producer {
			w.rt.Fatalf("markers %+v of a decision that is not in the log: %+v", w.ending, m)
		}
	}
	if len(tn.Replies) == 0 {
		return nil
	}
	return tn.Replies[0].Body
}

func (w *rivals) client() *turn.Producer {
	return &w.clients[rapid.IntRange(0, 1).Draw(w.rt, "client")]
}

func (w *rivals) init() {
	c := w.client()
	w.fresh++
	req := &Init{Timeout: time.Minute, Expected: NoProducer, Fresh: w.fresh}
	if rapid.Bool().Draw(w.rt, "named") {
		req.Expected = *c
	}
	if got := w.do(func(tn *turn.Turn) { w.state.Init(tn, req) }).(Granted); got.Err == nil {
		if got.Producer == w.clients[0] || got.Producer == w.clients[1] {
			w.rt.Fatalf("granted %v again", got.Producer)
		}
		*c, w.latest = got.Producer, got.Producer
	}
}

func (w *rivals) add() {
	p := *w.client()
	got := w.do(func(tn *turn.Turn) {
		w.state.Add(tn, &Add{Producer: p, Partitions: []Partition{{"t", rapid.Int32Range(0, 3).Draw(w.rt, "p")}}})
	})
	w.mayDecide(p, got == any(noError))
}

func (w *rivals) end() {
	p := *w.client()
	req := &End{Producer: p, Commit: rapid.Bool().Draw(w.rt, "commit"), Fresh: NoID}
	got := w.do(func(tn *turn.Turn) { w.state.End(tn, req) }).(Granted)
	w.mayDecide(p, got.Err == nil)
}

// mayDecide fails if who was fenced was obeyed.
func (w *rivals) mayDecide(p turn.Producer, obeyed bool) {
	if obeyed && p != w.latest {
		w.rt.Fatalf("%v was obeyed, %v is the latest", p, w.latest)
	}
}

func (w *rivals) marked() {
	if w.ending == nil {
		return
	}
	var err error
	if rapid.IntRange(0, 3).Draw(w.rt, "fail") == 0 {
		err = errors.New("disk on fire")
	}
	w.do(func(tn *turn.Turn) { w.state.Marked(tn, w.ending, err) })
}

func (w *rivals) tick() {
	w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Hour}).Draw(w.rt, "by"))
	for at := w.state.Deadline(); !at.IsZero() && !at.After(w.now); at = w.state.Deadline() {
		w.do(w.state.Tick)
	}
}

func (w *rivals) crash() {
	before := w.state.m
	w.state = New("tx", &w.opts)
	for _, rec := range w.log {
		w.state.Apply(rec, w.now)
	}
	if diff := cmp.Diff(before, w.state.m); diff != "" {
		w.rt.Fatalf("live and replayed differ:\n%s", diff)
	}
}

func (w *rivals) check() {
	m := &w.state.m
	if w.state.Gone() {
		return
	}
	if (m.Phase == Ongoing || m.Phase.prepared()) == m.Started.IsZero() {
		w.rt.Fatalf("started %v in %v", m.Started, m.Phase)
	}
	if w.state.Deadline().IsZero() && !w.state.marking {
		w.rt.Fatalf("nothing will ever wake %+v", m)
	}
}
