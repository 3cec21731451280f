package streams_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/internal/task"
	"github.com/millrace-io/millrace/streams/internal/topology"
	"github.com/millrace-io/millrace/streams/serde"
	"github.com/millrace-io/millrace/streams/state"
)

// discard acks everything at once.
type discard struct{ offset int64 }

func (d *discard) Emit(_ topology.Outgoing, acked *atomic.Int64) error {
	if acked != nil {
		d.offset++
		acked.Store(d.offset)
	}
	return nil
}

// counting is a task that counts by key, over a database on disk.
func counting(tb testing.TB, build func(streams.KGrouped[string, string])) *task.Task {
	tb.Helper()
	b := streams.NewBuilder()
	build(streams.Stream(b, "in", text).GroupByKey())
	topo, err := b.Topology()
	if err != nil {
		tb.Fatal(err)
	}
	db, err := state.Open(tb.TempDir(), "boot", state.NewCache())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	tk, err := task.New(task.Config{
		AppID: "app", Sub: topo.Subtopologies[0], Overlay: state.NewOverlay(db, 32<<20), Output: new(discard),
		Handle:   streams.Always(streams.Fail),
		Counters: new(task.Counters), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tk
}

func commit(tb testing.TB, tk *task.Task) {
	if err := tk.Changelog(); err != nil {
		tb.Fatal(err)
	}
	if err := tk.Committed(); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkCount is one record through a stateful count, with a commit every
// 50,000 records; what Kafka costs is not in it.
func BenchmarkCount(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func(streams.KGrouped[string, string])
	}{
		{"plain", func(g streams.KGrouped[string, string]) { g.Count("n") }},
		{"windowed", func(g streams.KGrouped[string, string]) {
			streams.CountWindowed(g, streams.Tumbling(time.Minute), "n")
		}},
	} {
		for _, keys := range []int{20_000, 300_000} {
			b.Run(fmt.Sprintf("%s/keys=%d", c.name, keys), func(b *testing.B) {
				raws := make([]topology.Raw, keys)
				for i := range raws {
					raws[i] = topology.Raw{Topic: "in", Key: fmt.Appendf(nil, "key-%08d", (i*7919)%keys), Value: make([]byte, 100)}
				}
				tk := counting(b, c.build)
				b.ReportAllocs()
				now, offset := time.Now(), int64(0)
				for b.Loop() {
					raw := raws[offset%int64(keys)]
					raw.Offset = offset
					offset++
					tk.Add(raw)
					if _, err := tk.Step(now); err != nil {
						b.Fatal(err)
					}
					if offset%50_000 == 0 {
						commit(b, tk)
					}
				}
			})
		}
	}
}

// BenchmarkApp is a stateful count through everything, the broker included:
// fetch, count, results, changelog, commits.
func BenchmarkApp(b *testing.B) {
	const keys = 20_000
	cluster := brokertest.Start(b, brokertest.Topic("in", 4), brokertest.Topic("out", 4))
	client := cluster.Kgo(kgo.ProducerBatchMaxBytes(900_000))
	for i := range b.N {
		client.Produce(b.Context(), &kgo.Record{Topic: "in", Key: fmt.Appendf(nil, "key-%08d", i%keys), Value: make([]byte, 100)}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	builder := streams.NewBuilder()
	streams.Stream(builder, "in", text).GroupByKey().Count("n").ToStream().To("out", counts)
	app, err := streams.New(builder, streams.Config{
		Cluster: cluster.Cluster(), AppID: "bench", StateDir: b.TempDir(), CommitInterval: 100 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { done <- app.Run(ctx) }()
	<-app.Ready()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if lag, err := app.Lag(ctx); err != nil {
			b.Fatal(err)
		} else if lag == 0 {
			break
		}
	}
	b.StopTimer()
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// The engine itself allocates little per record: what is left are the serdes'
// results.
func TestCountAllocatesLittlePerRecord(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations differ under the race detector")
	}
	tk := counting(t, func(g streams.KGrouped[string, string]) { g.Count("n") })
	offset, now := int64(0), time.Now()
	key, _ := serde.String().Encode("", "key")
	value := make([]byte, 100)
	got := testing.AllocsPerRun(1000, func() {
		tk.Add(topology.Raw{Topic: "in", Key: key, Value: value, Offset: offset})
		offset++
		if _, err := tk.Step(now); err != nil {
			t.Fatal(err)
		}
	})
	// The decoded key and value, the encoded key and count.
	if got > 4 {
		t.Errorf("%.1f allocations per record, want at most 4", got)
	}
}
