package worker

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/connect"
)

func at(partition string, n int64) connect.Position {
	return connect.Position{Partition: map[string]any{"p": partition}, Offset: map[string]any{"n": n}}
}

// CT1: whatever the order of the acks, the position that is stored is the
// last of the contiguous acked prefix, never one behind a record that is
// still on its way.
func TestCT1ContiguousPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPrefix()
		type sentRecord struct {
			one       *sent
			partition string
			n         int64
		}
		var inFlight []sentRecord
		next, acked, stored := map[string]int64{}, map[string]map[int64]bool{"a": {}, "b": {}}, map[string]int64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				partition := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "partition")
				next[partition]++
				inFlight = append(inFlight, sentRecord{p.add(at(partition, next[partition])), partition, next[partition]})
			case 1:
				if len(inFlight) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(inFlight)-1).Draw(t, "acked")
				r := inFlight[i]
				inFlight = append(inFlight[:i], inFlight[i+1:]...)
				p.ack(r.one)
				acked[r.partition][r.n] = true
			case 2:
				taken := p.take()
				if rapid.Bool().Draw(t, "storing fails") {
					p.putBack(taken)
					continue
				}
				for _, position := range taken {
					stored[position.Partition["p"].(string)] = position.Offset["n"].(int64)
				}
			}
			for partition, n := range stored {
				for i := int64(1); i <= n; i++ {
					if !acked[partition][i] {
						t.Fatalf("%s: stored %d, but %d is not acked", partition, n, i)
					}
				}
			}
		}
		for _, r := range inFlight {
			p.ack(r.one)
		}
		for _, position := range p.take() {
			stored[position.Partition["p"].(string)] = position.Offset["n"].(int64)
		}
		for partition, n := range next {
			if stored[partition] != n {
				t.Fatalf("%s: everything is acked up to %d, stored is %d", partition, n, stored[partition])
			}
		}
		if p.waiting != 0 {
			t.Fatalf("%d records still waited for", p.waiting)
		}
	})
}

// CT13: delays double up to the limit, jitter takes at most half, a long run
// starts over, and the attempts end where the policy says.
func TestCT13Backoff(t *testing.T) {
	policy := connect.RestartPolicy{MinDelay: time.Second, MaxDelay: 10 * time.Second, Window: time.Minute}
	now := time.Unix(0, 0)
	b := backoff{policy: policy}
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if got, again := b.next(now, now, 0); !again || got != want*time.Second {
			t.Errorf("failure %d: %v, %v; want %ds", i, got, again, want)
		}
	}
	if got, _ := b.next(now, now, 0.999); got < 5*time.Second || got > 6*time.Second {
		t.Errorf("with jitter: %v", got)
	}
	if got, _ := b.next(now, now.Add(11*time.Second), 0); got != time.Second {
		t.Errorf("after a long run: %v", got)
	}
	policy.MaxAttempts = 2
	b = backoff{policy: policy}
	for i, want := range []bool{true, true, false} {
		if _, again := b.next(now, now, 0); again != want {
			t.Errorf("attempt %d: %v", i, again)
		}
	}
	if _, again := b.next(now, now.Add(2*time.Minute), 0); !again {
		t.Error("failures outside the window still count")
	}
	b = backoff{policy: connect.RestartPolicy{Never: true}}
	if _, again := b.next(now, now, 0); again {
		t.Error("restarted against the policy")
	}
}

// CT10: task configs count from their commit on, all of them or none.
func TestCT10TaskConfigs(t *testing.T) {
	s := newConfigState()
	feed := func(key, value string) {
		t.Helper()
		var b []byte
		if value != "" {
			b = []byte(value)
		}
		if _, err := s.apply(key, b); err != nil {
			t.Fatal(err)
		}
	}
	feed("connector-c-1", `{"properties":{"connector.class":"x","extra":null}}`)
	feed("task-c-1-0", `{"properties":{"a":"0"}}`)
	feed("task-c-1-1", `{"properties":{"a":"1"}}`)
	if len(s.tasks["c-1"]) != 0 {
		t.Fatal("tasks count before their commit")
	}
	feed("commit-c-1", `{"tasks":2}`)
	if len(s.tasks["c-1"]) != 2 || s.tasks["c-1"][1]["a"] != "1" {
		t.Fatalf("tasks %v", s.tasks)
	}
	feed("commit-c-1", `{"tasks":1}`)
	if len(s.tasks["c-1"]) != 1 {
		t.Fatalf("after shrinking: %v", s.tasks)
	}
	feed("commit-c-1", `{"tasks":3}`)
	if len(s.tasks["c-1"]) != 0 {
		t.Fatalf("a commit without its tasks: %v", s.tasks)
	}
	feed("target-state-c-1", `{"state":"PAUSED"}`)
	if s.target("c-1") != TargetPaused {
		t.Fatal("a state without state.v2")
	}
	for key, value := range map[string]string{"connector-c-1": "[]", "task-c": "{}", "commit-c-1": `{"tasks":-1}`, "target-state-c-1": `{"state":"ODD"}`} {
		if _, err := s.apply(key, []byte(value)); err == nil {
			t.Errorf("%s %s: no error", key, value)
		}
	}
	if s.target("c-1") != TargetPaused || len(s.connectors) != 1 {
		t.Fatal("a record that is none changed the state")
	}
	feed("session-key", `{"key":"x"}`)
	feed("connector-c-1", "")
	if len(s.connectors) != 0 || s.target("c-1") != TargetStarted {
		t.Fatal("deleted, and still there")
	}
}

func FuzzConfigState(f *testing.F) {
	f.Add("connector-a", `{"properties":{"a":"b"}}`)
	f.Add("task-a-1", `{"properties":{}}`)
	f.Add("commit-a", `{"tasks":1000}`)
	f.Fuzz(func(t *testing.T, key, value string) {
		s := newConfigState()
		_, _ = s.apply(key, []byte(value)) // must only not panic
	})
}

// Java writes the properties of a source partition in an order of its own,
// and offsets as JSON numbers.
func TestOffsetsOfOthers(t *testing.T) {
	s := newOffsetStore(nil)
	s.apply([]byte(`["c",{"b":1,"a":"x"}]`), []byte(`{"pos":9007199254740993,"ratio":0.5}`))
	got := s.lookup("c", []map[string]any{{"a": "x", "b": int64(1)}, {"a": "y"}})
	if got[0]["pos"] != int64(9007199254740993) || got[0]["ratio"] != 0.5 || got[1] != nil {
		t.Fatalf("got %v", got)
	}
	s.apply([]byte(`["c",{"a":"x","b":1}]`), nil)
	if got := s.lookup("c", []map[string]any{{"a": "x", "b": int64(1)}}); got[0] != nil {
		t.Fatalf("after the tombstone: %v", got)
	}
}
