package topics

import (
	"slices"
	"strings"
	"testing"
)

func TestSelects(t *testing.T) {
	s, err := NewSelector([]string{`orders\..*`, "payments", "__.*", ".*internal"}, []string{`.*\.tmp`}, false)
	if err != nil {
		t.Fatal(err)
	}
	withInternal, err := NewSelector([]string{".*"}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		s     *Selector
		topic string
		want  bool
	}{
		{s, "orders.eu", true},
		{s, "my.orders.eu", false}, // patterns match whole names
		{s, "orders.eu.tmp", false},
		{s, "payments", true},
		{s, "payments2", false},
		{s, "__audit", false},                           // internal
		{s, "mm2-offset-syncs.a.internal", false},       // of another mirror
		{withInternal, "__audit", true},                 // asked for
		{withInternal, "connect-offsets", true},         //
		{withInternal, "__consumer_offsets", false},     // never
		{withInternal, "__transaction_state", false},    //
		{withInternal, "__cluster_metadata", false},     //
		{withInternal, "__millrace_mirror_state", true}, //
	}
	for _, test := range tests {
		if got := test.s.Selects(test.topic); got != test.want {
			t.Errorf("Selects(%q) = %v", test.topic, got)
		}
	}
}

// MB1: a pattern that is no regular expression says so, and what was meant.
func TestMB1BadPattern(t *testing.T) {
	_, err := NewSelector([]string{"*"}, nil, false)
	if err == nil || !strings.Contains(err.Error(), "all topics is .* and not *") {
		t.Fatalf("got %v", err)
	}
	for template, want := range map[string]string{"{source}": "no {topic}", "a/{topic}": "characters"} {
		if err := CheckTemplate(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckTemplate(%q) = %v", template, err)
		}
	}
}

func TestName(t *testing.T) {
	byPrefix := Namer{Template: Prefix("."), Separator: ".", Source: "fra", Target: "ams", Rename: map[string]string{"a": "b"}}
	for topic, want := range map[string]string{"orders": "fra.orders", "a": "b"} {
		if got := byPrefix.Name(topic); got != want {
			t.Errorf("Name(%q) = %q", topic, got)
		}
	}
	if !byPrefix.CameFromTarget("ams.orders") || byPrefix.CameFromTarget("orders") {
		t.Error("a copy is known by the target's prefix, and only by it")
	}
	if (Namer{Template: Identity, Target: "ams"}).CameFromTarget("ams.orders") {
		t.Error("under identity a prefix means nothing")
	}
}

// MB5: names that Kafka refuses are found before a topic is created.
func TestMB5TargetNames(t *testing.T) {
	long := strings.Repeat("x", 247)
	faults := CheckNames([]string{"a.b", "a_b", "ok", long}, Namer{Template: Prefix("."), Separator: ".", Source: "fra"})
	if len(faults) != 2 || faults["a_b"] == nil || faults[long] == nil {
		t.Fatalf("faults: %v", faults)
	}
	if !strings.Contains(faults["a_b"].Error(), `"a.b"`) {
		t.Errorf("the collision does not name the other topic: %v", faults["a_b"])
	}
}

// MT11, MB4: cycles are found by cluster id, over any number of flows.
func TestCycle(t *testing.T) {
	all, err := NewSelector([]string{".*"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := NewSelector([]string{"orders"}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	identity := Namer{Template: Identity}
	prefixed := func(source, target string) Namer {
		return Namer{Template: Prefix("."), Separator: ".", Source: source, Target: target}
	}
	tests := []struct {
		name   string
		routes []Route
		want   []string
	}{
		{"both ways by identity", []Route{
			{"there", "A", "B", all, identity}, {"back", "B", "A", all, identity},
		}, []string{"there", "back"}},
		{"both ways by prefix", []Route{
			{"there", "A", "B", all, prefixed("a", "b")}, {"back", "B", "A", all, prefixed("b", "a")},
		}, nil},
		{"both ways on different topics", []Route{
			{"there", "A", "B", orders, identity}, {"back", "B", "A", mustSelect(t, "payments"), identity},
		}, nil},
		{"a ring of three", []Route{
			{"ab", "A", "B", all, identity}, {"bc", "B", "C", orders, identity}, {"ca", "C", "A", all, identity},
		}, []string{"ab", "bc", "ca"}},
		{"a rename that comes back", []Route{
			{"there", "A", "B", all, Namer{Template: Identity, Rename: map[string]string{"orders": "o"}}},
			{"back", "B", "A", all, Namer{Template: Identity, Rename: map[string]string{"o": "orders"}}},
		}, []string{"there", "back"}},
		{"onward from a hub", []Route{
			{"in", "A", "H", all, prefixed("a", "h")}, {"out", "H", "C", all, identity},
		}, nil},
	}
	for _, test := range tests {
		if got := Cycle(test.routes, "A", "orders"); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func mustSelect(t *testing.T, pattern string) *Selector {
	t.Helper()
	s, err := NewSelector([]string{pattern}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// MT9: configs that must differ between clusters stay where they are.
func TestMT9SyncedConfigs(t *testing.T) {
	for key, want := range map[string]bool{
		"retention.ms": true, "cleanup.policy": true, "min.insync.replicas": false,
		"message.timestamp.type": false, "durability": false, "segment.ms": false,
	} {
		if got := Synced(key, []string{"segment.ms"}); got != want {
			t.Errorf("Synced(%q) = %v", key, got)
		}
	}
}
