package wait_test

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/millrace-io/millrace/broker/internal/wait"
)

// script is the world of one dialogue: queues p, q, r and waiters by name.
type script struct {
	queues  map[string]*wait.Queue
	waiters map[string]*wait.Waiter
	woken   []string
}

func newScript() *script {
	return &script{queues: map[string]*wait.Queue{"p": {}, "q": {}, "r": {}}, waiters: map[string]*wait.Waiter{}}
}

// run understands
//
//	open p term=1 offset=0 bytes=0
//	produce NAME p=5 q=7 [term=1]     offsets awaited
//	fetch NAME need=10 p=0 q=0        positions read up to
//	advance p offset=5 bytes=500
//	fail p          wake-readers p
//	cancel NAME     outcome NAME
func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.woken = nil
	out := ""
	switch d.Cmd {
	case "open":
		s.queue(d).Open(int32(s.num(t, d, "term", 1)), s.num(t, d, "offset", 0), s.num(t, d, "bytes", 0))
	case "produce", "fetch":
		out = s.await(t, d)
	case "advance":
		s.queue(d).Advance(s.num(t, d, "offset", 0), s.num(t, d, "bytes", 0)).Wake()
	case "fail":
		s.queue(d).Fail(errMoved).Wake()
	case "wake-readers":
		s.queue(d).WakeReaders().Wake()
	case "cancel":
		out = fmt.Sprintln("cancelled:", s.waiters[d.CmdArgs[0].Key].Cancel())
	case "outcome":
		w := s.waiters[d.CmdArgs[0].Key]
		w.End()
		for i := range d.CmdArgs[1:] {
			out += fmt.Sprintf("%s: %v\n", d.CmdArgs[i+1].Key, w.Err(i))
		}
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	if len(s.woken) > 0 {
		sort.Strings(s.woken)
		out += "woken: " + strings.Join(s.woken, " ") + "\n"
	}
	return out
}

func (s *script) queue(d *datadriven.TestData) *wait.Queue { return s.queues[d.CmdArgs[0].Key] }

func (s *script) num(t *testing.T, d *datadriven.TestData, key string, otherwise int64) int64 {
	if d.HasArg(key) {
		d.ScanArgs(t, key, &otherwise)
	}
	return otherwise
}

func (s *script) await(t *testing.T, d *datadriven.TestData) string {
	name := d.CmdArgs[0].Key
	w := s.waiters[name]
	if w == nil {
		w = wait.New(func() { s.woken = append(s.woken, name) })
		s.waiters[name] = w
	}
	term := int32(s.num(t, d, "term", 1))
	w.Begin(s.num(t, d, "need", 0))
	for _, arg := range d.CmdArgs[1:] {
		q := s.queues[arg.Key]
		switch {
		case q == nil:
		case d.Cmd == "produce":
			q.AwaitOffset(w, term, s.num(t, d, arg.Key, 0))
		default:
			q.AwaitBytes(w, term, s.num(t, d, arg.Key, 0))
		}
	}
	if !w.Arm() {
		return "nothing to wait for\n"
	}
	return "waits\n"
}
