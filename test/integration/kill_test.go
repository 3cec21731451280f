//go:build integration

package integration

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Twenty times kill -9 during acks=all writes: after each restart every record
// that was acked is there, once, in order.
func TestKillLosesNothingAcked(t *testing.T) {
	const kills, partitions = 20, 4
	dir := t.TempDir()
	port := freePort(t)
	acked := make([]map[string]bool, partitions)
	for i := range acked {
		acked[i] = map[string]bool{}
	}
	sent := 0
	for round := range kills + 1 {
		p := start(t, dir, port)
		client := p.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(5*time.Second))
		if round == 0 {
			if _, err := kadm.NewClient(client).CreateTopic(t.Context(), partitions, 1, nil, "k"); err != nil {
				t.Fatal(err)
			}
		}
		check(t, p, acked)
		if round == kills {
			break
		}
		sent = writeUntilKilled(t, p, client, acked, sent, 200+150*round) // another moment each time
	}
	total := 0
	for _, m := range acked {
		total += len(m)
	}
	t.Logf("%d kills, %d records acked, none lost", kills, total)
}

// writeUntilKilled produces numbers from sent on, kills the broker once goal of
// them are acked, with writes under way, and returns the next number.
func writeUntilKilled(t *testing.T, p *process, client *kgo.Client, acked []map[string]bool, sent, goal int) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	enough, ended := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	count := 0
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			partition, value := sent%len(acked), fmt.Sprint(sent)
			sent++
			client.Produce(ctx, &kgo.Record{Topic: "k", Partition: int32(partition), Value: []byte(value)}, func(_ *kgo.Record, err error) {
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					return
				}
				acked[partition][value] = true
				if count++; count == goal {
					close(enough)
				}
			})
		}
	}()
	select {
	case <-enough:
	case <-time.After(60 * time.Second):
		t.Fatalf("only %d acks\n%s", count, p.output())
	}
	p.kill()
	cancel()
	<-ended
	client.Close() // fails what is still under way, so no later ack counts
	return sent
}

// check reads every partition from the start.
func check(t *testing.T, p *process, acked []map[string]bool) {
	t.Helper()
	admin := kadm.NewClient(p.client())
	ends, err := admin.ListEndOffsets(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	for partition := range acked {
		end, _ := ends.Lookup("k", int32(partition))
		seen := map[string]int64{}
		reader := p.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"k": {int32(partition): kgo.NewOffset().AtStart()}}))
		for next := int64(0); next < end.Offset; {
			fetches := reader.PollFetches(t.Context())
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if at, twice := seen[string(r.Value)]; twice {
					t.Errorf("partition %d: record %s stands at offsets %d and %d", partition, r.Value, at, r.Offset)
				}
				seen[string(r.Value)] = r.Offset
				if r.Offset != next {
					t.Errorf("partition %d: offset %d after %d", partition, r.Offset, next-1)
				}
				next = r.Offset + 1
			})
		}
		for value := range acked[partition] {
			if _, there := seen[value]; !there {
				t.Errorf("partition %d: acked record %s is lost (%d of %d there, end %d)", partition, value, len(seen), len(acked[partition]), end.Offset)
			}
		}
		reader.Close()
	}
	if t.Failed() {
		t.FailNow()
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
