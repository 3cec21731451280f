package streams_test

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
	"github.com/millrace-io/millrace/streams/streamstest"
)

func sec(n int64) time.Time { return time.Unix(n, 0).UTC() }

// windowCounts pipes "a" at these seconds and gives the results as
// [start,end)=count, in order.
func windowCounts(t *testing.T, w streams.Windows, seconds ...int64) (results []string, counters streams.NodeCounters) {
	b := streams.NewBuilder()
	with := streams.With(streams.WindowedKey(serde.String(), 10*time.Second), serde.Int64())
	streams.CountWindowed(streams.Stream(b, "in", text).GroupByKey(), w, "n").ToStream().To("out", with)
	d := streamstest.New(t, b)
	in := streamstest.Input(d, "in", text)
	for _, s := range seconds {
		in.PipeRecord(streams.Record[string, string]{Key: "a", Value: "v", Timestamp: sec(s)})
	}
	for _, r := range streamstest.Output(d, "out", with).All() {
		results = append(results, fmt.Sprintf("[%d,%d)=%d", r.Key.Start.Unix(), r.Key.End.Unix(), r.Value))
	}
	return results, d.Counters()["n"]
}

func TestWindows(t *testing.T) {
	ten := streams.Tumbling(10 * time.Second)
	for _, c := range []struct {
		name    string
		windows streams.Windows
		seconds []int64
		want    []string
		late    int64
	}{
		{"aligned, end not included", ten, []int64{0, 9, 10, 19, 20}, []string{"[0,10)=1", "[0,10)=2", "[10,20)=1", "[10,20)=2", "[20,30)=1"}, 0},
		{"late without grace", ten, []int64{9, 10, 9}, []string{"[0,10)=1", "[10,20)=1"}, 1},
		{"out of order within its window", ten, []int64{9, 3}, []string{"[0,10)=1", "[0,10)=2"}, 0},
		{"grace keeps it open", ten.Grace(5 * time.Second), []int64{9, 14, 8}, []string{"[0,10)=1", "[10,20)=1", "[0,10)=2"}, 0},
		{"grace is over at its end", ten.Grace(5 * time.Second), []int64{9, 15, 8}, []string{"[0,10)=1", "[10,20)=1"}, 1},
		{"final results when stream time closes the window", ten.Grace(5 * time.Second).EmitFinal(), []int64{1, 2, 14, 15, 3, 24, 25}, []string{"[0,10)=2", "[10,20)=2"}, 1},
		{"several close at once, in order", ten.EmitFinal(), []int64{1, 11, 100}, []string{"[0,10)=1", "[10,20)=1"}, 0},
		{"hopping", streams.Hopping(10*time.Second, 5*time.Second), []int64{7, 12}, []string{"[5,15)=1", "[0,10)=1", "[10,20)=1", "[5,15)=2"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, counters := windowCounts(t, c.windows, c.seconds...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if counters.Late != c.late {
				t.Errorf("%d late, want %d", counters.Late, c.late)
			}
		})
	}
}

func TestLatenessIsMeasured(t *testing.T) {
	_, counters := windowCounts(t, streams.Tumbling(10*time.Second), 9, 60, 8, 15)
	if counters.Late != 2 || counters.MaxLateness != 50*time.Second {
		t.Errorf("%d late by up to %v, want 2 by up to 50s", counters.Late, counters.MaxLateness)
	}
}

// A windowed count of any input equals one that knows the whole input at once.
func TestWindowedCountEqualsAReference(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.Int64Range(1, 20).Draw(r, "size")
		grace := rapid.Int64Range(0, 30).Draw(r, "grace")
		times := rapid.SliceOfN(rapid.Int64Range(0, 100), 1, 50).Draw(r, "times")

		want, high, late := map[int64]int64{}, int64(-1), int64(0)
		for _, at := range times {
			high = max(high, at)
			start := at - at%size
			if start+size+grace <= high {
				late++
				continue
			}
			want[start]++
		}

		b := streams.NewBuilder()
		w := streams.Tumbling(time.Duration(size) * time.Second).Grace(time.Duration(grace) * time.Second)
		with := streams.With(streams.WindowedKey(serde.String(), time.Duration(size)*time.Second), serde.Int64())
		streams.CountWindowed(streams.Stream(b, "in", text).GroupByKey(), w, "n").ToStream().To("out", with)
		final := streams.CountWindowed(streams.Stream(b, "in", text).GroupByKey(), w.EmitFinal(), "f")
		final.ToStream().To("final", with)
		d := streamstest.New(t, b)
		in := streamstest.Input(d, "in", text)
		for _, at := range times {
			in.PipeRecord(streams.Record[string, string]{Key: "a", Value: "v", Timestamp: sec(at)})
		}
		if got := d.Counters()["n"].Late; got != late {
			r.Fatalf("%d late, want %d", got, late)
		}
		check := func(name string, got map[streams.Windowed[string]]int64) {
			seen := map[int64]int64{}
			for k, n := range got {
				seen[k.Start.Unix()] = n
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				r.Fatalf("%s (-want +got):\n%s", name, diff)
			}
		}
		check("last updates", streamstest.Latest(streamstest.Output(d, "out", with)))
		// A record far in the future closes all windows.
		in.PipeRecord(streams.Record[string, string]{Key: "z", Value: "v", Timestamp: sec(100_000)})
		results := streamstest.Output(d, "final", with).All()
		if len(results) != len(want) {
			r.Fatalf("%d final results, want one for each of %d windows", len(results), len(want))
		}
		check("final results", streamstest.Latest(streamstest.Output(d, "final", with)))
	})
}

func TestWindowedKeyIsKafkasFormat(t *testing.T) {
	s := streams.WindowedKey(serde.String(), 10*time.Second)
	w := streams.Windowed[string]{Key: "ab", Start: sec(10), End: sec(20)}
	b, err := s.Encode("t", w)
	if err != nil || hex.EncodeToString(b) != "6162"+"0000000000002710" {
		t.Errorf("%x (%v), want the key and then the start in milliseconds", b, err)
	}
	if back, err := s.Decode("t", b); err != nil || back != w {
		t.Errorf("came back as %v (%v)", back, err)
	}
	if _, err := s.Decode("t", []byte("short")); err == nil {
		t.Error("five bytes were taken for a windowed key")
	}
}
