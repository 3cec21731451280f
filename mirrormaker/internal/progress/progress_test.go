package progress

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEncodeDecode(t *testing.T) {
	p := Position{Next: 7, TopicID: "ab", Target: "fra.t", TargetNext: 9, Timestamp: -1, Hash: "00"}
	key, value, err := Encode("dr", "t", 3, p)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"kind":"position","flow":"dr","topic":"t","partition":3}`; string(key) != want {
		t.Errorf("key %s, want %s", key, want)
	}
	k, got, err := Decode(key, value)
	p.Version = version
	if err != nil || k != (Key{kind, "dr", "t", 3}) || *got != p {
		t.Fatalf("decoded %+v %+v %v", k, got, err)
	}
	if _, got, err := Decode(key, nil); err != nil || got != nil {
		t.Fatalf("tombstone: %+v %v", got, err)
	}
}

func TestDecodeForeign(t *testing.T) {
	key := []byte(`{"kind":"position","flow":"f","topic":"t"}`)
	for _, r := range [][2]string{
		{"", "{}"}, {`{"kind":"control"}`, "{}"}, {string(key), "{}"}, {string(key), `{"version":2}`},
		{string(key), `{"version":1,"next":-1}`}, {string(key), "\x00"},
	} {
		if _, _, err := Decode([]byte(r[0]), []byte(r[1])); !errors.Is(err, ErrFormat) {
			t.Errorf("Decode(%q, %q) = %v", r[0], r[1], err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	key, value, _ := Encode("f", "t", 0, Position{})
	f.Add(key, value)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		k, p, err := Decode(key, value)
		if err != nil || p == nil {
			return
		}
		again, body, err := Encode(k.Flow, k.Topic, k.Partition, *p)
		if err != nil {
			t.Fatal(err)
		}
		k2, p2, err := Decode(again, body)
		if err != nil || k2 != k || *p2 != *p {
			t.Fatalf("%+v %+v became %+v %+v (%v)", k, p, k2, p2, err)
		}
	})
}

func TestFingerprintTellsNullFromEmpty(t *testing.T) {
	prints := []Print{
		Fingerprint(1, nil, nil), Fingerprint(1, []byte{}, nil), Fingerprint(1, nil, []byte{}),
		Fingerprint(1, []byte("a"), []byte("b")), Fingerprint(1, []byte("ab"), []byte{}), Fingerprint(2, nil, nil),
	}
	for i, a := range prints {
		if slices.Contains(prints[i+1:], a) {
			t.Errorf("print %d is not unique", i)
		}
	}
}

// The restart table of the mirror: each row is what a user would lose or get
// twice if it went on silently.
func TestDecide(t *testing.T) {
	at := func(next, target int64) *Position { return &Position{Next: next, TargetNext: target, TopicID: "id"} }
	source := Source{Start: 10, End: 100, TopicID: "id"}
	follow := Policy{ContinueOnGap: true, ContinueOnDivergence: true, FollowRecreated: true}
	tests := []struct {
		name     string
		position *Position
		source   Source
		end      int64
		policy   Policy
		want     string
	}{
		{"never copied", nil, source, 0, Policy{}, "from 10"},
		{"never copied to a topic that holds records", nil, source, 5, Policy{}, "from 10"},
		{"all as the position says", at(50, 40), source, 40, Policy{}, "from 50"},
		{"killed between data and position", at(50, 40), source, 45, Policy{}, "from 50, check the tail"},
		{"at the end", at(100, 90), source, 90, Policy{}, "from 100"},
		{"MT4 retention passed the mirror", at(5, 5), source, 5, Policy{}, "gap"},
		{"MT4 and may go on", at(5, 5), source, 5, follow, "from 10, lost 5"},
		{"MT16 the source lost records", at(101, 90), source, 90, Policy{}, "divergence"},
		{"MT16 and may go on", at(101, 90), source, 90, follow, "from 100"},
		{"MT13 the target is gone", at(50, 40), source, 0, follow, "target"},
		{"created again", at(50, 40), Source{0, 3, "other"}, 40, Policy{}, "recreated"},
		{"created again and may follow", at(50, 40), Source{0, 3, "other"}, 40, follow, "from 0"},
		{"MB12 a source without topic ids", at(50, 40), Source{10, 100, ""}, 40, Policy{}, "from 50"},
	}
	for _, test := range tests {
		if got := describe(Decide(test.position, test.source, test.end, test.policy)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func describe(n Next) string {
	if n.Stop != nil {
		return n.Stop.Reason
	}
	s := fmt.Sprint("from ", n.From)
	if n.CheckTail {
		s += ", check the tail"
	}
	if n.Lost > 0 {
		s += fmt.Sprint(", lost ", n.Lost)
	}
	return s
}

func TestStopSaysWhatToDo(t *testing.T) {
	n := Decide(&Position{Next: 1}, Source{Start: 4, End: 9}, 0, Policy{})
	if n.Stop == nil || !strings.Contains(n.Stop.Error(), "offsets 1 to 3") || !strings.Contains(n.Stop.Error(), "on_gap: continue") {
		t.Fatalf("%v", n.Stop)
	}
}

// MT25: a source that was compacted after the crash has fewer records than
// the tail; counting would skip one that was never copied.
func TestMT25TailAfterCompaction(t *testing.T) {
	print := func(name string) Print { return Fingerprint(0, []byte(name), nil) }
	tail := NewTail([]Print{print("a"), print("b"), print("c")})
	for _, name := range []string{"b", "c"} { // "a" was compacted away
		if !tail.Copied(print(name)) {
			t.Fatalf("%s was copied", name)
		}
	}
	if tail.Copied(print("d")) {
		t.Fatal("d was not copied, though the count of the tail says so")
	}
	if tail.Unknown() != 1 || !tail.Done() {
		t.Fatalf("unknown %d, done %v", tail.Unknown(), tail.Done())
	}
}

// For any source, any crash point and any compaction since, what is copied
// after the tail check completes the target: nothing missing, nothing twice.
func TestTailExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 30).Draw(t, "records")
		copied := rapid.IntRange(0, n).Draw(t, "copied")
		var source, tail []Print
		for i := range n {
			// Few distinct keys and values, so equal records are common; the
			// timestamp rises now and then.
			p := Fingerprint(int64(i/3), []byte{byte(rapid.IntRange(0, 2).Draw(t, "key"))}, []byte{byte(i)})
			source = append(source, p)
			if i < copied {
				tail = append(tail, p)
			}
		}
		var kept []Print
		for i, p := range source {
			if i >= copied || rapid.Bool().Draw(t, "kept") {
				kept = append(kept, p)
			}
		}
		check := NewTail(tail)
		i := 0
		for i < len(kept) && !check.Done() && check.Copied(kept[i]) {
			i++
		}
		got := append(slices.Clone(tail), kept[i:]...)
		if !slices.Equal(got, source) {
			t.Fatalf("target would hold %d records of %d", len(got), len(source))
		}
	})
}
