package streams_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
	"github.com/millrace-io/millrace/streams/streamstest"
)

// faulty fails in every way that a record can: its value does not decode, has
// no time, a bad time, a function that fails or one that panics.
func faulty(b *streams.Builder) {
	with := text.EventTime(func(_, v string) (time.Time, error) {
		if v == "before 1970" {
			return time.Unix(-1, 0), nil
		}
		if v == "no time" {
			return time.Time{}, errors.New("there is no time in it")
		}
		return time.Unix(1000, 0), nil
	})
	streams.TryMapValues(streams.Stream(b, "in", with), func(v string) (string, error) {
		switch v {
		case "odd":
			return "", errOdd
		case "panic":
			panic("on purpose")
		}
		return v, nil
	}).To("out", text)
}

var faults = []struct {
	id, value, node, message string
	stage                    streams.Stage
}{
	{"T1 does not decode", "\xff", "source-in", "value: not valid UTF-8", streams.Deserialization},
	{"T1 no event time", "no time", "source-in", "event time: there is no time in it", streams.Deserialization},
	{"T3 before 1970", "before 1970", "source-in", "timestamp before 1970", streams.Deserialization},
	{"function fails", "odd", "map-values-1", "odd length", streams.Processing},
	{"T12 function panics", "panic", "map-values-1", "panic: on purpose", streams.Processing},
}

func TestFaultsFailByDefaultAndSayWhere(t *testing.T) {
	for _, f := range faults {
		t.Run(f.id, func(t *testing.T) {
			b := streams.NewBuilder()
			faulty(b)
			d := streamstest.New(t, b)
			if err := d.PipeBytes("in", nil, []byte("fine")); err != nil {
				t.Fatal(err)
			}
			err := d.PipeBytes("in", nil, []byte(f.value))
			var fault *streams.Fault
			if !errors.As(err, &fault) || fault.Stage != f.stage {
				t.Fatalf("error %v, want a fault in %v", err, f.stage)
			}
			for _, part := range []string{"topic in partition 0 offset 1", f.node, f.message} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestFaultsGoToDeadLettersWithTheReason(t *testing.T) {
	for _, f := range faults {
		t.Run(f.id, func(t *testing.T) {
			b := streams.NewBuilder()
			faulty(b)
			d := streamstest.New(t, b, streamstest.DeadLetters("dead"))
			for _, v := range []string{"fine", f.value, "fine"} {
				if err := d.PipeBytes("in", []byte("key"), []byte(v)); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(d.Raw("out")); n != 2 {
				t.Errorf("%d records got through, want the two good ones", n)
			}
			dead := d.Raw("dead")
			if len(dead) != 1 || string(dead[0].Value) != f.value || string(dead[0].Key) != "key" {
				t.Fatalf("dead letters: %v, want the record as it was", dead)
			}
			headers := map[string]string{}
			for _, h := range dead[0].Headers {
				headers[h.Key] = string(h.Value)
			}
			if !strings.Contains(headers["__streams.errors.message"], f.message) {
				t.Errorf("message %q, want %q", headers["__streams.errors.message"], f.message)
			}
			delete(headers, "__streams.errors.message")
			delete(headers, "__streams.errors.exception")
			delete(headers, "__streams.errors.stacktrace")
			want := map[string]string{
				"__streams.errors.topic": "in", "__streams.errors.partition": "0", "__streams.errors.offset": "1",
				"__millrace.errors.node": f.node, "__millrace.errors.stage": f.stage.String(),
			}
			if diff := cmp.Diff(want, headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if n := d.Counters()[f.node].DeadLetters; n != 1 {
				t.Errorf("%d dead letters counted, want 1", n)
			}
		})
	}
}

func TestFaultsCanBePassedOver(t *testing.T) {
	b := streams.NewBuilder()
	faulty(b)
	d := streamstest.New(t, b, streamstest.Handle(streams.Always(streams.Continue)))
	for _, f := range faults {
		if err := d.PipeBytes("in", nil, []byte(f.value)); err != nil {
			t.Errorf("%s: %v", f.id, err)
		}
	}
	if n := d.Counters()["source-in"].Skipped; n != 3 {
		t.Errorf("%d skipped at the source are counted, want 3", n)
	}
}

func TestT2RecordsWithoutKeyOrValueAreDroppedAndCounted(t *testing.T) {
	b := streams.NewBuilder()
	streams.Stream(b, "in", text).GroupByKey().Count("n")
	grouped := streams.GroupBy(streams.Stream(b, "other", text), func(_, v string) string { return v }, serde.String())
	grouped.Count("m")
	d := streamstest.New(t, b)
	in := streamstest.Input(d, "in", text)
	in.PipeRecord(streams.Record[string, string]{NullKey: true, Value: "v", Timestamp: d.Now()})
	in.PipeRecord(streams.Record[string, string]{Key: "k", NullValue: true, Timestamp: d.Now()})
	streamstest.Input(d, "other", text).PipeRecord(streams.Record[string, string]{Key: "k", NullValue: true, Timestamp: d.Now()})
	want := map[string]streams.NodeCounters{"n": {NullKeys: 1, NullValues: 1}, "m": {NullValues: 1}}
	if diff := cmp.Diff(want, d.Counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}
