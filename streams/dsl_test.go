package streams_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
	"github.com/millrace-io/millrace/streams/streamstest"
)

var (
	text   = streams.With(serde.String(), serde.String())
	counts = streams.With(serde.String(), serde.Int64())
)

func wordCount(b *streams.Builder) streams.KTable[string, int64] {
	lines := streams.Stream(b, "lines", text)
	words := streams.FlatMapValues(lines, strings.Fields)
	table := streams.GroupBy(words, func(_, w string) string { return w }, serde.String()).Count("word-counts")
	table.ToStream().To("counts", counts)
	return table
}

func TestWordCount(t *testing.T) {
	for _, partitions := range []int32{1, 4} {
		t.Run(fmt.Sprint(partitions, " partitions"), func(t *testing.T) {
			b := streams.NewBuilder()
			table := wordCount(b)
			d := streamstest.New(t, b, streamstest.Partitions(partitions))
			in := streamstest.Input(d, "lines", text)
			out := streamstest.Output(d, "counts", counts)
			in.Pipe("", "to be or not to be")
			if got := len(out.All()); got != 6 {
				t.Errorf("%d updates, want 6", got)
			}
			if n, _ := streamstest.Get(d, table.Store(), "be"); n != 2 {
				t.Errorf("be: %d in the store, want 2", n)
			}
			in.Pipe("", "be")
			want := map[string]int64{"to": 2, "be": 3, "or": 1, "not": 1}
			if diff := cmp.Diff(want, streamstest.Latest(out)); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// Equal keys meet in one task only if the record goes through the partition of
// its new key.
func TestGroupingSendsRecordsThroughOneRepartitionTopic(t *testing.T) {
	b := streams.NewBuilder()
	wordCount(b)
	d := streamstest.New(t, b, streamstest.Partitions(3))
	streamstest.Input(d, "lines", text).Pipe("k", "a b a")
	if got := len(d.Raw(streamstest.InternalTopic("word-counts-repartition"))); got != 3 {
		t.Errorf("%d records in the repartition topic, want 3", got)
	}
}

func TestGroupByUnchangedKeyNeedsNoRepartition(t *testing.T) {
	b := streams.NewBuilder()
	streams.Stream(b, "in", text).Filter(func(_, v string) bool { return v != "" }).GroupByKey().Count("n").ToStream().To("out", counts)
	topo, err := b.Topology()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(topo.Subtopologies); n != 1 {
		t.Errorf("%d subtopologies, want 1:\n%s", n, topo)
	}
}

// shout sends the record's event time and headers through every kind of hop.
func TestEventTimeAndHeadersTravel(t *testing.T) {
	b := streams.NewBuilder()
	at := text.EventTime(func(_, v string) (time.Time, error) {
		return time.Parse(time.RFC3339, strings.Fields(v)[0])
	})
	in := streams.Stream(b, "in", at)
	streams.GroupBy(in, func(_, v string) string { return strings.Fields(v)[1] }, serde.String()).
		Reduce("last", func(_, v string) string { return v }).ToStream().To("out", text)

	d := streamstest.New(t, b, streamstest.Partitions(2))
	header := streams.Header{Key: "trace", Value: []byte("7")}
	pipe := streamstest.Input(d, "in", text)
	pipe.PipeRecord(streams.Record[string, string]{Key: "k", Value: "2015-05-17T10:05:03Z a", Timestamp: d.Now(), Headers: []streams.Header{header}})
	pipe.PipeRecord(streams.Record[string, string]{Key: "k", Value: "2015-05-17T10:05:01Z a", Timestamp: d.Now()})

	hop := d.Raw(streamstest.InternalTopic("last-repartition"))
	first := time.Date(2015, 5, 17, 10, 5, 3, 0, time.UTC)
	if got := time.UnixMilli(hop[0].Timestamp).UTC(); got != first {
		t.Errorf("repartition record at %v, want the event's %v", got, first)
	}
	if diff := cmp.Diff([]streams.Header{header}, hop[0].Headers); diff != "" {
		t.Errorf("headers in the repartition topic (-want +got):\n%s", diff)
	}
	out := streamstest.Output(d, "out", text).All()
	if out[0].Timestamp != first || len(out[0].Headers) != 1 {
		t.Errorf("result at %v with %d headers, want %v with 1", out[0].Timestamp, len(out[0].Headers), first)
	}
	if out[1].Timestamp != first {
		t.Errorf("an older record made the result older: %v, want %v", out[1].Timestamp, first)
	}
}

func TestOperators(t *testing.T) {
	upper := func(k, v string) (string, string) { return v, strings.ToUpper(v) }
	for _, c := range []struct {
		name  string
		build func(streams.KStream[string, string]) streams.KStream[string, string]
		in    string // values, with their own as key
		want  string // key=value of the results
	}{
		{"map", func(s streams.KStream[string, string]) streams.KStream[string, string] { return streams.Map(s, upper) }, "a b", "a=A b=B"},
		{"map values", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			return streams.MapValues(s, strings.ToUpper)
		}, "a b", "a=A b=B"},
		{"filter", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			return s.Filter(func(_, v string) bool { return v > "a" })
		}, "a b c", "b=b c=c"},
		{"flat map", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			return streams.FlatMap(s, func(k, v string) []streams.KeyValue[string, string] {
				return []streams.KeyValue[string, string]{{Key: k + "1", Value: v}, {Key: k + "2", Value: v}}
			})
		}, "a", "a1=a a2=a"},
		{"flat map to nothing", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			return streams.FlatMapValues(s, func(string) []string { return nil })
		}, "a", ""},
		{"select key", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			return streams.SelectKey(s, func(_, v string) string { return "k" + v })
		}, "a", "ka=a"},
		{"merge", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			return s.Merge(streams.MapValues(s, strings.ToUpper))
		}, "a", "a=A a=a"},
		{"branch", func(s streams.KStream[string, string]) streams.KStream[string, string] {
			arms := s.Branch(
				func(_, v string) bool { return v == "a" },
				func(_, v string) bool { return v <= "b" },
			)
			return streams.MapValues(arms[0], func(v string) string { return v + "first" }).
				Merge(streams.MapValues(arms[1], func(v string) string { return v + "second" }))
		}, "a b c", "a=afirst b=bsecond"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := streams.NewBuilder()
			c.build(streams.Stream(b, "in", text)).To("out", text)
			d := streamstest.New(t, b)
			in := streamstest.Input(d, "in", text)
			for v := range strings.FieldsSeq(c.in) {
				in.Pipe(v, v)
			}
			var got []string
			for _, r := range streamstest.Output(d, "out", text).All() {
				got = append(got, r.Key+"="+r.Value)
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("got %q, want %q", g, c.want)
			}
		})
	}
}

func TestTableFollowsItsTopic(t *testing.T) {
	b := streams.NewBuilder()
	table := streams.Table(b, "users", text)
	table.Filter(func(_, v string) bool { return v != "gone" }).ToStream().To("out", text)
	d := streamstest.New(t, b)
	in := streamstest.Input(d, "users", text)
	in.Pipe("ann", "here")
	in.Pipe("bob", "here")
	in.Pipe("bob", "gone")
	in.PipeRecord(streams.Record[string, string]{Key: "cy", NullValue: true, Timestamp: d.Now()})
	in.PipeRecord(streams.Record[string, string]{NullKey: true, Value: "nobody", Timestamp: d.Now()})

	if v, ok := streamstest.Get(d, table.Store(), "bob"); !ok || v != "gone" {
		t.Errorf("bob in the store: %q, %t", v, ok)
	}
	if diff := cmp.Diff(map[string]string{"ann": "here"}, streamstest.Latest(streamstest.Output(d, "out", text))); diff != "" {
		t.Errorf("filtered table (-want +got):\n%s", diff)
	}
	if n := len(d.Raw("out")); n != 3 {
		t.Errorf("%d records, want 3: two users and bob's deletion, nothing for a user who never was", n)
	}
	in.PipeRecord(streams.Record[string, string]{Key: "ann", NullValue: true, Timestamp: d.Now()})
	if v, ok := streamstest.Get(d, table.Store(), "ann"); ok {
		t.Errorf("ann was deleted and is still %q", v)
	}
}

func TestAggregate(t *testing.T) {
	type sum struct{ N, Length int }
	b := streams.NewBuilder()
	table := streams.Aggregate(streams.Stream(b, "in", text).GroupByKey(), "sums",
		func() sum { return sum{N: 100} },
		func(a sum, _ string, v string) sum { return sum{a.N + 1, a.Length + len(v)} },
		serde.JSON[sum]())
	d := streamstest.New(t, b)
	in := streamstest.Input(d, "in", text)
	in.Pipe("k", "ab")
	in.Pipe("k", "cde")
	if got, _ := streamstest.Get(d, table.Store(), "k"); got != (sum{102, 5}) {
		t.Errorf("%+v, want 102 records from 100 on, of 5 bytes", got)
	}
}

func TestTopologyDescribed(t *testing.T) {
	b := streams.NewBuilder()
	wordCount(b)
	topo, err := b.Topology()
	if err != nil {
		t.Fatal(err)
	}
	want := `subtopology 0
  source source-lines <- topic lines -> flat-map-values-1
  operator flat-map-values-1 -> select-key-1
  operator select-key-1 -> word-counts-repartition-sink
  sink word-counts-repartition-sink -> topic <app>-word-counts-repartition
subtopology 1
  source word-counts-repartition-source <- topic <app>-word-counts-repartition -> word-counts
  processor word-counts [store word-counts] -> to-stream-1
  operator to-stream-1 -> sink-counts-1
  sink sink-counts-1 -> topic counts
`
	if diff := cmp.Diff(want, topo.String()); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
	for _, part := range []string{"flowchart LR", `n5["word-counts<br/>store word-counts"]`, "[(<app>-word-counts-repartition)]"} {
		if !strings.Contains(topo.Mermaid(), part) {
			t.Errorf("the flowchart lacks %s:\n%s", part, topo.Mermaid())
		}
	}
}

func TestT13EveryFaultOfTheTopologyIsReportedAtOnce(t *testing.T) {
	b := streams.NewBuilder()
	in := streams.Stream(b, "in", text)
	streams.Stream(b, "in", counts)                                // another codec
	in.GroupByKey().Count("n")                                     // ...
	in.GroupByKey().Count("n")                                     // same store
	streams.Map(in, func(k, v string) (int, int) { return 1, 2 }). // no serdes for int
									GroupByKey().Reduce("m", func(a, _ int) int { return a })
	streams.CountWindowed(in.GroupByKey(), streams.Tumbling(0), "w") // no size
	in.To("bad topic", text)
	_, err := b.Topology()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{
		`topic "in" is read twice`,
		`store "n": the name is used twice`,
		`store "m": no serde for the keys`,
		`store "m": no serde for the values that go through its repartition topic`,
		`store "w": window size 0s`,
		`topic "bad topic": character ' '`,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("missing: %s", part)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestT13CycleAndForeignNodes(t *testing.T) {
	b, other := streams.NewBuilder(), streams.NewBuilder()
	streams.Stream(b, "a", text).Merge(streams.Stream(other, "b", text)).To("out", text)
	if _, err := b.Topology(); err == nil || !strings.Contains(err.Error(), "belongs to another builder") {
		t.Errorf("a stream of another builder: %v", err)
	}
	if _, err := streams.NewBuilder().Topology(); err == nil {
		t.Error("an empty topology was accepted")
	}
}

func TestReadingATopicTwiceTheSameWayIsOneSource(t *testing.T) {
	b := streams.NewBuilder()
	streams.Stream(b, "in", text).To("a", text)
	streams.Stream(b, "in", text).To("b", text)
	d := streamstest.New(t, b)
	streamstest.Input(d, "in", text).Pipe("k", "v")
	if len(d.Raw("a")) != 1 || len(d.Raw("b")) != 1 {
		t.Errorf("%d in a, %d in b, want one each", len(d.Raw("a")), len(d.Raw("b")))
	}
}

// unusable is a serde that says so.
type unusable struct{ serde.Serde[string] }

func (unusable) Check() error { return errors.New("no schema can be derived") }

func TestT13SerdeThatCannotWorkIsReportedWithItsNode(t *testing.T) {
	b := streams.NewBuilder()
	streams.Stream(b, "in", streams.With(serde.String(), serde.Serde[string](unusable{})))
	_, err := b.Topology()
	if err == nil || !strings.Contains(err.Error(), "node source-in: values: no schema can be derived") {
		t.Errorf("%v does not name the node", err)
	}
}

var errOdd = errors.New("odd length")
