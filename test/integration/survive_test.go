//go:build integration

package integration

import (
	be "encoding/binary"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// An idempotent producer writes on while its broker is killed with -9 again
// and again, each time with requests under way, and started again on what the
// disk holds. In the end every record stands once and in order. KILLS and
// RECORDS make it longer:
//
//	KILLS=50 RECORDS=10000000 go test -tags integration -run TestRecordsSurviveKills -timeout 60m -v ./test/integration
func TestRecordsSurviveKills(t *testing.T) {
	kills, records := number(t, "KILLS", 5), number(t, "RECORDS", 200_000)
	const partitions = 4
	dir, port := t.TempDir(), freePort(t)
	p := start(t, dir, port)
	if _, err := kadm.NewClient(p.client()).CreateTopic(t.Context(), partitions, 1, nil, "survive"); err != nil {
		t.Fatal(err)
	}
	// One client for the whole test: what was under way at a kill it sends
	// again, and only the broker's memory of producers keeps it from standing
	// twice.
	producer := p.client(p.persistent("survive")...)
	began := time.Now()
	var acked atomic.Int64
	written := make(chan error, 1)
	go func() { written <- writeNumbers(t, producer, int64(records), partitions, &acked) }()
	for kill := range kills {
		goal := int64(records) * int64(kill+1) / int64(kills+1)
		awaitCount(t, &acked, goal, written)
		p.kill()
		p = start(t, dir, port)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records acked over %d kills in %v", acked.Load(), kills, time.Since(began).Round(time.Second))
	readNumbers(t, p, int64(records), partitions)
	t.Logf("all %d read back, each once and in order", records)
}

func number(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: need a number from 1", name, text)
	}
	return n
}

// writeNumbers writes 0, 1, 2 ... over the partitions in turn and waits for
// every ack.
func writeNumbers(t *testing.T, producer *kgo.Client, n int64, partitions int, acked *atomic.Int64) error {
	failed := make(chan error, 1)
	for i := range n {
		value := be.BigEndian.AppendUint64(make([]byte, 0, 100), uint64(i))
		producer.Produce(t.Context(), &kgo.Record{Partition: int32(i % int64(partitions)), Value: value[:100]}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
				return
			}
			select {
			case failed <- err:
			default:
			}
		})
		select {
		case err := <-failed:
			return err
		default:
		}
	}
	if err := producer.Flush(t.Context()); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// awaitCount waits until so many records are acked.
func awaitCount(t *testing.T, acked *atomic.Int64, goal int64, ended chan error) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	stuck := time.NewTimer(5 * time.Minute)
	defer stuck.Stop()
	for acked.Load() < goal {
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("the writer ended at %d of %d acks: %v", acked.Load(), goal, err)
		case <-stuck.C:
			t.Fatalf("%d of %d acks after five minutes", acked.Load(), goal)
		}
	}
}

// readNumbers reads everything back: each partition must hold its numbers at
// consecutive offsets, in order, and nothing else.
func readNumbers(t *testing.T, p *process, n int64, partitions int) {
	t.Helper()
	all := map[int32]kgo.Offset{}
	for i := range partitions {
		all[int32(i)] = kgo.NewOffset().AtStart()
	}
	reader := p.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"survive": all}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	next := make([]int64, partitions)
	for read := int64(0); read < n; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			want := next[r.Partition]*int64(partitions) + int64(r.Partition)
			if got := int64(be.BigEndian.Uint64(r.Value)); got != want || r.Offset != next[r.Partition] {
				t.Fatalf("partition %d: %d at offset %d, expected %d at %d", r.Partition, got, r.Offset, want, next[r.Partition])
			}
			next[r.Partition]++
			read++
		})
	}
	ends, err := kadm.NewClient(reader).ListEndOffsets(t.Context(), "survive")
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset != next[end.Partition] {
			t.Errorf("partition %d ends at %d, %d records were written", end.Partition, end.Offset, next[end.Partition])
		}
	})
}
