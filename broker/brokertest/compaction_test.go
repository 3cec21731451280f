package brokertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// readAll reads a partition from its start to its end, and shows each record as
// "key=value".
func readAll(t *testing.T, b *brokertest.Cluster, topic string) (records []*kgo.Record) {
	t.Helper()
	client := b.Kgo(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}), kgo.KeepControlRecords())
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
		next = records[len(records)-1].Offset + 1
	}
	return records
}

// until polls a condition that the broker's own goroutines bring about.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within 30 s", what)
		case <-tick.C:
		}
	}
}

// A compacted topic shrinks to the newest value of each key while it is written
// to, and a consumer finds them at their offsets, also after a restart.
func TestItem101_CompactedTopic(t *testing.T) {
	dir := t.TempDir()
	options := []brokertest.Option{brokertest.Dir(dir), brokertest.Property("log.cleaner.backoff.ms", "50")}
	b := brokertest.Start(t, options...)
	b.CreateTopic("users", 1, map[string]string{"cleanup.policy": "compact", "internal.segment.bytes": "20000", "min.cleanable.dirty.ratio": "0.01"})
	client := b.Kgo(kgo.DefaultProduceTopic("users"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	const rounds, keys = 60, 20
	filler := strings.Repeat("x", 100)
	offsets := map[string]int64{}
	for round := range rounds {
		var batch []*kgo.Record
		for key := range keys {
			batch = append(batch, &kgo.Record{Key: fmt.Append(nil, key), Value: fmt.Appendf(nil, "%d %s", round, filler)})
		}
		for _, result := range client.ProduceSync(t.Context(), batch...) {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
			offsets[string(result.Record.Key)] = result.Record.Offset
		}
	}
	until(t, "compaction", func() bool { return len(readAll(t, b, "users")) < rounds*keys/2 })
	check := func(when string) {
		newest := map[string]*kgo.Record{}
		for _, r := range readAll(t, b, "users") {
			newest[string(r.Key)] = r
		}
		for key, offset := range offsets {
			if r := newest[key]; r == nil || r.Offset != offset || !strings.HasPrefix(string(r.Value), fmt.Sprint(rounds-1)) {
				t.Errorf("%s: key %s: %v, want the one at %d", when, key, r, offset)
			}
		}
	}
	check("compacted")
	b.Close()
	b = brokertest.Start(t, options...)
	check("started again")
}

// Retention and compaction together: item 102.
func TestItem102_CompactAndDelete(t *testing.T) {
	b := brokertest.Start(t, brokertest.Property("log.cleaner.backoff.ms", "50"), brokertest.Property("log.retention.check.interval.ms", "50"))
	b.CreateTopic("t", 1, map[string]string{
		"cleanup.policy": "compact,delete", "internal.segment.bytes": "2000", "min.cleanable.dirty.ratio": "0.01", "retention.ms": "3600000",
	})
	client := b.Kgo(kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	old := time.Now().Add(-2 * time.Hour)
	produce := func(key string, at time.Time) {
		t.Helper()
		r := &kgo.Record{Key: []byte(key), Value: make([]byte, 300), Timestamp: at}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		produce(fmt.Sprintf("old-%d", i), old)
	}
	for i := range 40 {
		produce(fmt.Sprintf("new-%d", i%4), time.Now())
	}
	until(t, "retention and compaction", func() bool {
		records := readAll(t, b, "t")
		for _, r := range records {
			if strings.HasPrefix(string(r.Key), "old") {
				return false
			}
		}
		return len(records) < 20
	})
	keys := map[string]bool{}
	for _, r := range readAll(t, b, "t") {
		keys[string(r.Key)] = true
	}
	if len(keys) != 4 {
		t.Errorf("keys left: %v", keys)
	}
}

// The broker compacts its own topic of offsets, and groups find theirs in it.
func TestItem101_OffsetsTopicIsCompacted(t *testing.T) {
	dir := t.TempDir()
	options := []brokertest.Option{
		brokertest.Dir(dir), brokertest.Property("log.cleaner.backoff.ms", "50"), brokertest.Property("offsets.topic.num.partitions", "1"),
		brokertest.Property("offsets.topic.segment.bytes", "1048576"), brokertest.Property("log.cleaner.min.cleanable.ratio", "0.01"),
		brokertest.Topic("t", 2),
	}
	b := brokertest.Start(t, options...)
	admin := kadm.NewClient(b.Kgo())
	commit := func(n int64) {
		t.Helper()
		var o kadm.Offsets
		o.AddOffset("t", 0, n, -1)
		o.Add(kadm.Offset{Topic: "t", Partition: 1, At: n, LeaderEpoch: -1, Metadata: strings.Repeat("m", 4000)})
		if err := admin.CommitAllOffsets(t.Context(), "g", o); err != nil {
			t.Fatal(err)
		}
	}
	const commits = 600
	for n := range int64(commits) {
		commit(n)
	}
	until(t, "compaction", func() bool { return len(readAll(t, b, "__consumer_offsets")) < commits })
	b.Close()
	b = brokertest.Start(t, options[:5]...)
	fetched, err := kadm.NewClient(b.Kgo()).FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := fetched.Lookup("t", 0); !ok || o.At != commits-1 {
		t.Errorf("the group's offset is %+v", o)
	}
}
