package bench_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/internal/bench"
)

// TestMain is also the process that serves a floor.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[2] == bench.FloorCommand {
		floor()
		return
	}
	goleak.VerifyTestMain(m)
}

// floor reads the arguments as the command does, in the order in which they
// are passed.
func floor() {
	f := bench.Floor{Dir: os.Args[4], File: os.Args[6], Copy: len(os.Args) > 9}
	if _, err := fmt.Sscan(os.Args[8], &f.Chunk); err != nil {
		os.Exit(2)
	}
	if err := bench.RunFloor(context.Background(), f, os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}

func target(t *testing.T) *bench.Target {
	b := brokertest.Start(t)
	target, err := bench.Connect(t.Context(), "ours", b.Cluster(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	return target
}

type load interface {
	Run(ctx context.Context, t *bench.Target) (bench.Sample, error)
}

// Every load does all of its work: what it says it moved is what was asked
// for, and each of its requests was timed.
func TestLoads(t *testing.T) {
	const records, size = 3000, 512
	limit := bench.Limit{Bytes: records * size}
	raw := bench.RawProduce{RecordBytes: size, BatchBytes: 4 << 10, Partitions: 3, Connections: 2, InFlight: 4, Acks: -1, Limit: limit}
	single := raw
	single.BatchBytes, single.Durability = 0, bench.PageCache
	for name, l := range map[string]load{
		"raw":         raw,
		"raw, single": single,
		"raw fetch":   bench.RawFetch{MaxBytes: 16 << 10, Partitions: 3, Fill: raw},
		"produce":     bench.Produce{RecordBytes: size, BatchBytes: 1 << 20, Partitions: 3, Producers: 2, Acks: -1, Durability: bench.Fsync, Limit: limit},
		"consume":     bench.Consume{Fill: raw},
		"end to end":  bench.EndToEnd{RecordBytes: size, Rate: 10_000, Partitions: 1, Acks: 1, Time: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := l.Run(t.Context(), target(t))
			if err != nil {
				t.Fatal(err)
			}
			if s.Records < records*4/5 || s.Records > records*11/10 || s.Bytes < s.Records*size {
				t.Errorf("%d records, %d bytes; asked for %d of %d", s.Records, s.Bytes, records, size)
			}
			if s.Wall <= 0 || s.Resident <= 0 {
				t.Errorf("took %v and %d bytes of memory", s.Wall, s.Resident)
			}
			if s.Latency != nil && s.Requests > 0 && s.Latency.Count() != s.Requests {
				t.Errorf("%d of %d requests were timed", s.Latency.Count(), s.Requests)
			}
			r := bench.Summarize("ours", []bench.Sample{s, s, s})
			if r.MBPerSecond == nil || r.RecordsPerSecond.Median != float64(s.Records)/s.Wall.Seconds() {
				t.Errorf("summary %+v of %+v", r, s)
			}
		})
	}
}

// A server that answers with errors ends a raw load: otherwise it would look
// like a fast one.
func TestRawLoadNoticesErrors(t *testing.T) {
	b := brokertest.Start(t, brokertest.Property("message.max.bytes", "1000"))
	target, err := bench.Connect(t.Context(), "ours", b.Cluster(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	_, err = bench.RawProduce{RecordBytes: 4 << 10, Partitions: 1, Connections: 1, InFlight: 2, Acks: 1, Limit: bench.Limit{Bytes: 1 << 20}}.Run(t.Context(), target)
	if err == nil {
		t.Fatal("batches that were all refused were counted")
	}
}

// The suite measures every workload, and decides on each goal that it has the
// figures for.
func TestSuite(t *testing.T) {
	ours := target(t)
	report, err := bench.Suite{
		Ours: ours, Against: ours, Runs: 1, Limit: bench.Limit{Bytes: 4 << 20, Time: 50 * time.Millisecond}, Dir: t.TempDir(),
		Only: []string{"raw-16kib", "single-32", "fsync-64", "fetch", "client-fetch"},
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Works) != 5 || report.Probe.RoundTrip <= 0 || report.Probe.SyncsPerSecond <= 0 {
		t.Fatalf("%+v", report)
	}
	for _, w := range report.Works {
		for _, r := range w.Results {
			if r.Runs != 1 || r.MBPerSecond == nil || r.MBPerSecond.Median <= 0 {
				t.Errorf("%s on %s: %+v", w.Name, r.Target, r)
			}
		}
		for _, g := range w.Gates {
			if met := g.Value <= g.Limit; !g.AtLeast && met != g.Met || g.AtLeast && g.Value >= g.Limit != g.Met {
				t.Errorf("%s: %+v", w.Name, g)
			}
		}
	}
}
