//go:build integration

package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/record"
	"github.com/millrace-io/millrace/test/kafka"
)

// moved is the topic whose one partition changes its broker.
const moved = "moved"

// party is one of the two brokers, as the test drives it.
type party struct {
	t       *testing.T
	cluster func() cluster.Profile
	data    string
	start   func()
	stop    func()
}

func apacheKafka(t *testing.T) *party {
	b := kafka.Start(t, "log.cleaner.backoff.ms=100")
	return &party{
		t: t, cluster: b.Cluster, data: b.Data(),
		start: func() { b.Run(t) }, stop: func() { b.Stop(t) },
	}
}

func millrace(t *testing.T) *party {
	dir := t.TempDir()
	var b *brokertest.Cluster
	p := &party{t: t, data: dir, cluster: func() cluster.Profile { return b.Cluster() }, stop: func() { b.Close() }}
	p.start = func() {
		b = brokertest.Start(t, brokertest.Dir(dir), brokertest.Property("log.cleaner.backoff.ms", "100"))
	}
	p.start()
	return p
}

func (p *party) client(options ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	c, err := p.cluster().Client(options...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

func (p *party) create(configs map[string]string) {
	p.t.Helper()
	values := map[string]*string{}
	for name, value := range configs {
		values[name] = &value
	}
	if _, err := kadm.NewClient(p.client()).CreateTopic(p.t.Context(), 1, 1, values, moved); err != nil {
		p.t.Fatal(err)
	}
}

// send produces one batch of an idempotent producer that the test plays itself:
// who goes on with its sequence at another broker needs its state there.
func (p *party) send(producer int64, sequence int32, codec record.Codec, values ...string) (offset int64, err error) {
	p.t.Helper()
	var b record.Builder
	b.SetCodec(codec)
	b.SetProducer(producer, 0, sequence)
	for _, v := range values {
		b.Append(record.Record{
			Timestamp: time.Now().UnixMilli(), Key: []byte(v), Value: []byte(strings.Repeat(v, 30)),
			Headers: []record.Header{{Key: "codec", Value: []byte(codec.String())}},
		})
	}
	built, err := b.Build()
	if err != nil {
		p.t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	req.Version = 9
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: moved, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: slices.Clone(built)}}}}
	ctx := p.t.Context()
	client := p.client(kgo.MaxVersions(version9()))
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		p.t.Fatal(err)
	}
	got := resp.Topics[0].Partitions[0]
	return got.BaseOffset, kerr.ErrorForCode(got.ErrorCode)
}

func (p *party) mustSend(producer int64, sequence int32, codec record.Codec, values ...string) int64 {
	p.t.Helper()
	offset, err := p.send(producer, sequence, codec, values...)
	if err != nil {
		p.t.Fatalf("producer %d, sequence %d: %v", producer, sequence, err)
	}
	return offset
}

// transact runs one transaction, at a broker that has them.
func (p *party) transact(commit bool, values ...string) {
	p.t.Helper()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(p.t.Context(), p.client())
	if err != nil {
		p.t.Fatal(err)
	}
	const endTxn = 26
	if !slices.ContainsFunc(versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == endTxn }) {
		return
	}
	client := p.client(kgo.TransactionalID("mover"), kgo.DefaultProduceTopic(moved))
	if err := client.BeginTransaction(); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range values {
		client.Produce(p.t.Context(), kgo.StringRecord(v), nil)
	}
	if err := client.Flush(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	if err := client.EndTransaction(p.t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		p.t.Fatal(err)
	}
	client.Close()
}

// records shows all of the partition, markers too, or what is committed.
func (p *party) records(isolation kgo.IsolationLevel) (list []string) {
	p.t.Helper()
	options := []kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{moved: {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(),
	}
	client := p.client(options...)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(p.t.Context(), moved)
	if err != nil {
		p.t.Fatal(err)
	}
	end, _ := ends.Lookup(moved, 0)
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(p.t.Context())
		if err := fetches.Err(); err != nil {
			p.t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			line := fmt.Sprintf("%d %d %q %q %q", r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, r.Headers)
			list = append(list, line)
			next = r.Offset + 1
		}
	}
	return append(list, fmt.Sprintf("end %d", end.Offset))
}

// fill writes what a partition may hold, and returns the sequence that producer
// 7 has come to.
func (p *party) fill() (sequence int32) {
	p.t.Helper()
	for i, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		for j := range 20 {
			p.mustSend(7, sequence, codec, fmt.Sprint(i, "-", j), "same")
			sequence += 2
		}
	}
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		client := p.client(kgo.DefaultProduceTopic(moved), kgo.ProducerBatchCompression(codec))
		for i := range 50 {
			client.Produce(p.t.Context(), kgo.KeyStringRecord(fmt.Sprint("k", i%10), strings.Repeat("value", 40)), nil)
		}
		if err := client.Flush(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		client.Close()
	}
	p.transact(true, "committed 1", "committed 2")
	p.transact(false, "aborted 1", "aborted 2")
	p.transact(true, "committed 3")
	p.settle()
	return sequence
}

// settle waits for the markers of the transactions, which may come after the
// producer was answered.
func (p *party) settle() {
	p.t.Helper()
	admin := kadm.NewClient(p.client())
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		all, err := admin.ListEndOffsets(p.t.Context(), moved)
		if err != nil {
			p.t.Fatal(err)
		}
		committed, err := admin.ListCommittedOffsets(p.t.Context(), moved)
		if err != nil {
			p.t.Fatal(err)
		}
		a, _ := all.Lookup(moved, 0)
		if c, _ := committed.Lookup(moved, 0); a.Offset == c.Offset {
			return
		}
		<-tick.C
	}
	p.t.Fatal("a transaction stays open")
}

// move puts the partition's files, as one broker has left them, into the place
// of the other's. Whose the directory is stays as it was.
func move(t *testing.T, from, to *party) {
	t.Helper()
	source, target := filepath.Join(from.data, moved+"-0"), filepath.Join(to.data, moved+"-0")
	const identity = "partition.metadata"
	for _, file := range files(t, target) {
		if file != identity {
			if err := os.Remove(filepath.Join(target, file)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, file := range files(t, source) {
		if file == identity {
			continue
		}
		b, err := os.ReadFile(filepath.Join(source, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(target, file), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// expect compares what two brokers show of the partition.
func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: record %d of %d is %.200s, want %.200s", what, i, len(want), g, w)
		}
	}
}

// goOn writes on where the producer stood at the other broker. Other producers
// would be given ids by this cluster that the partition knows from that one.
func goOn(t *testing.T, p *party, sequence int32, end int64) {
	t.Helper()
	if _, err := p.send(7, sequence+4, record.None, "gap"); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("a gap in the sequence: %v", err)
	}
	first := p.mustSend(7, sequence, record.Zstd, "next", "one")
	if first != end {
		t.Errorf("the next batch got offset %d, want %d", first, end)
	}
	if again := p.mustSend(7, sequence, record.Zstd, "next", "one"); again != first {
		t.Errorf("its retry got offset %d, want %d", again, first)
	}
}

func endOf(list []string) (end int64) {
	_, _ = fmt.Sscanf(list[len(list)-1], "end %d", &end)
	return end
}

// moves are the ways of a partition between the two, after a stop in order and
// after a crash.
var moves = []struct {
	name     string
	from, to func(*testing.T) *party
	crash    bool
}{
	{"kafka-to-millrace", apacheKafka, millrace, false},
	{"kafka-to-millrace-crashed", apacheKafka, millrace, true},
	{"millrace-to-kafka", millrace, apacheKafka, false},
	{"millrace-to-kafka-crashed", millrace, apacheKafka, true},
}

// A partition that Apache Kafka wrote opens here, and one of ours there, with
// every record, offset and producer; after a stop in order, and after a crash,
// when everything is read.
func TestInterchange(t *testing.T) {
	segments := map[string]string{"segment.bytes": "1048576", "index.interval.bytes": "100"}
	for _, row := range moves {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel() // Names have no comma: Kafka takes it for the end of a directory.
			from, to := row.from(t), row.to(t)
			from.create(segments)
			to.create(segments)
			sequence := from.fill()
			all, committed := from.records(kgo.ReadUncommitted()), from.records(kgo.ReadCommitted())
			from.stop()
			to.stop()
			move(t, from, to)
			if err := os.WriteFile(filepath.Join(to.data, moved+"-0", "notes.txt"), []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			if row.crash {
				if err := os.Remove(filepath.Join(to.data, ".kafka_cleanshutdown")); err != nil {
					t.Fatal(err)
				}
			}
			to.start()
			expect(t, "all", to.records(kgo.ReadUncommitted()), all)
			expect(t, "committed", to.records(kgo.ReadCommitted()), committed)
			goOn(t, to, sequence, endOf(all))
			if b, err := os.ReadFile(filepath.Join(to.data, moved+"-0", "notes.txt")); err != nil || string(b) != "mine" {
				t.Errorf("a file of somebody else's: %q, %v", b, err)
			}
		})
	}
}

// A log that one of the two has compacted is whole for the other, which compacts
// it further. Where everything is read after a crash, the one that did not
// compact it must not take what lacks for a loss: it is told by removing the
// recovery points.
func TestInterchangeOfCompactedLogs(t *testing.T) {
	configs := map[string]string{"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01"}
	for _, row := range moves {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			from, to := row.from(t), row.to(t)
			from.create(configs)
			to.create(configs)
			total := from.fillKeys(0)
			from.awaitCompaction(total)
			from.stop()
			from.start() // So that nothing is compacted between the reading and the stop.
			all := from.records(kgo.ReadUncommitted())
			from.stop()
			to.stop()
			move(t, from, to)
			if row.crash {
				for _, file := range []string{".kafka_cleanshutdown", "recovery-point-offset-checkpoint"} {
					if err := os.Remove(filepath.Join(to.data, file)); err != nil {
						t.Fatal(err)
					}
				}
			}
			to.start()
			expectNewest(t, to.records(kgo.ReadUncommitted()), all)
			if crowd, _ := filepath.Glob(filepath.Join(to.data, moved+"-0", "*.quarantine")); len(crowd) > 0 {
				t.Errorf("taken for damage: %v", crowd)
			}
			total += to.fillKeys(total)
			to.awaitCompaction(total)
		})
	}
}

const compactedKeys = 50

// fillKeys writes a few keys many times over, and returns how many records.
func (p *party) fillKeys(from int) (n int) {
	p.t.Helper()
	client := p.client(kgo.DefaultProduceTopic(moved), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	filler := strings.Repeat("x", 1000)
	for n = range 4000 {
		client.Produce(p.t.Context(), kgo.KeyStringRecord(fmt.Sprint(n%compactedKeys), fmt.Sprint(from+n, filler)), nil)
		if n%100 == 99 {
			if err := client.Flush(p.t.Context()); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	return n + 1
}

// awaitCompaction returns when less than the half is there of all that was
// written.
func (p *party) awaitCompaction(total int) {
	p.t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		if len(p.records(kgo.ReadUncommitted())) < total/2 {
			return
		}
		<-tick.C
	}
	p.t.Fatalf("%d records, and no compaction", total)
}

// expectNewest compares what two brokers show of a compacted partition: nothing
// but what was there, and of each key the newest.
func expectNewest(t *testing.T, got, want []string) {
	t.Helper()
	key := func(line string) string { return strings.Split(line, " ")[2] }
	there, newest := map[string]bool{}, map[string]string{}
	for _, line := range want[:len(want)-1] {
		there[line], newest[key(line)] = true, line
	}
	for _, line := range got[:len(got)-1] {
		if !there[line] {
			t.Errorf("this was not there: %.100s", line)
		}
		if newest[key(line)] == line {
			delete(newest, key(line))
		}
	}
	if len(newest) > 0 || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("the newest of %d keys lack; %s, want %s", len(newest), got[len(got)-1], want[len(want)-1])
	}
}

// version9 lets no request be newer than Produce 9, which names topics.
func version9() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(0, 9)
	return v
}
