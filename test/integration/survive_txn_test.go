//go:build integration

package integration

import (
	"context"
	be "encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"golang.org/x/sync/errgroup"
)

// Producers write transactions over several partitions, every fifth of which
// they abort, while their broker is killed with -9 again and again. In the end
// a reader of committed records finds every transaction that was acked, once,
// in order and whole; of one whose end got no answer all or nothing; and of one
// that was aborted nothing. One producer has transactions v1, and one has none
// and shares the partitions with the others. KILLS and RECORDS make it longer:
//
//	KILLS=50 RECORDS=10000000 go test -tags integration -run TestTransactionsSurviveKills -timeout 60m -v ./test/integration
func TestTransactionsSurviveKills(t *testing.T) {
	kills, records := number(t, "KILLS", 5), number(t, "RECORDS", 200_000)
	dir, port := t.TempDir(), freePort(t)
	p := start(t, dir, port)
	if _, err := kadm.NewClient(p.client()).CreateTopic(t.Context(), batchPartitions, 1, nil, "survive"); err != nil {
		t.Fatal(err)
	}
	var acked atomic.Int64
	writers := make([]*batchWriter, 8)
	rounds := records / len(writers) / batchRecords
	group, ctx := errgroup.WithContext(t.Context())
	for i := range writers {
		w := &batchWriter{number: i, acked: &acked, options: p.persistent("survive")}
		switch i {
		case 0:
			w.plain = true
		case 1:
			w.options = append(w.options, kgo.MaxVersions(kversion.V3_8_0()))
		}
		writers[i] = w
		group.Go(func() error { return w.run(ctx, rounds) })
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- group.Wait() }()
	for kill := range kills {
		awaitCount(t, &acked, int64(records)*8/10*int64(kill+1)/int64(kills+1), ended)
		p.kill()
		p = start(t, dir, port)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records acked over %d kills in %v", acked.Load(), kills, time.Since(began).Round(time.Second))
	seen := readBatches(t, p, len(writers), rounds)
	var unknown int
	for _, w := range writers {
		unknown += w.check(t, seen[w.number])
	}
	t.Logf("%d transactions read back whole, %d of them without an answer to their end", len(writers)*rounds, unknown)
}

// persistent are the options of a client that goes on while its broker is away.
func (p *process) persistent(topic string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(p.Kafka), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(50_000),
		kgo.RecordRetries(1_000_000), kgo.RequestRetries(1_000_000), kgo.RetryTimeout(5 * time.Minute),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
	}
}

const (
	batchRecords    = 500 // of a transaction
	batchPartitions = 4
)

// batchEnd is what a writer knows of a transaction.
type batchEnd byte

const (
	unknown batchEnd = iota // its end got no answer
	committed
	aborted
)

// batchWriter writes transactions one after the other.
type batchWriter struct {
	number  int
	plain   bool // without transactions
	options []kgo.Opt
	acked   *atomic.Int64
	ends    []batchEnd
	client  *kgo.Client
}

func (w *batchWriter) run(ctx context.Context, rounds int) error {
	defer func() { w.client.Close() }()
	w.ends = make([]batchEnd, rounds)
	for n := range rounds {
		if err := w.reconnect(); err != nil {
			return err
		}
		end, err := w.write(ctx, n, w.plain || n%5 != 4)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.ends[n] = end
		if err != nil {
			// A new client with the same id ends what this one left open.
			w.client.Close()
			w.client = nil
		}
		if end == committed {
			w.acked.Add(batchRecords)
		}
	}
	return nil
}

func (w *batchWriter) reconnect() (err error) {
	if w.client != nil {
		return nil
	}
	opts := w.options
	if !w.plain {
		opts = append(opts[:len(opts):len(opts)], kgo.TransactionalID(fmt.Sprint("writer-", w.number)))
	}
	w.client, err = kgo.NewClient(opts...)
	return err
}

// write writes a transaction, and reports what is known of it.
func (w *batchWriter) write(ctx context.Context, n int, commit bool) (batchEnd, error) {
	if !w.plain {
		if err := w.client.BeginTransaction(); err != nil {
			return aborted, err
		}
	}
	failed := w.produce(ctx, n)
	switch {
	case w.plain && failed != nil:
		return unknown, failed
	case w.plain:
		return committed, nil
	}
	if err := w.client.EndTransaction(ctx, kgo.TransactionEndTry(commit && failed == nil)); err != nil {
		return unknown, err
	}
	if commit && failed == nil {
		return committed, nil
	}
	return aborted, nil
}

func (w *batchWriter) produce(ctx context.Context, n int) error {
	var once sync.Once
	var failed error
	for i := range batchRecords {
		value := make([]byte, 100)
		be.BigEndian.PutUint32(value, uint32(w.number))
		be.BigEndian.PutUint32(value[4:], uint32(n))
		be.BigEndian.PutUint32(value[8:], uint32(i))
		w.client.Produce(ctx, &kgo.Record{Partition: int32(i % batchPartitions), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := w.client.Flush(ctx); err != nil {
		return err
	}
	return failed
}

// check holds what was read against what is known, and counts what was not.
func (w *batchWriter) check(t *testing.T, seen []int) (open int) {
	t.Helper()
	for n, end := range w.ends {
		count := seen[n]
		whole := count == batchRecords || count == 0
		switch {
		case end == unknown && whole:
			open++
		case end == committed && count == batchRecords:
		case end == aborted && count == 0:
		default:
			t.Errorf("writer %d, transaction %d (%v): %d of %d records", w.number, n, end, count, batchRecords)
		}
	}
	return open
}

func (o batchEnd) String() string { return [...]string{"unknown", "committed", "aborted"}[o] }

// readBatches counts the committed records by writer and transaction. Those of
// a writer must stand in the order in which it wrote them.
func readBatches(t *testing.T, p *process, writers, rounds int) [][]int {
	t.Helper()
	end := p.client(kgo.DefaultProduceTopic("survive"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	all := map[int32]kgo.Offset{}
	for i := range int32(batchPartitions) {
		all[i] = kgo.NewOffset().AtStart()
		if err := end.ProduceSync(t.Context(), &kgo.Record{Partition: i}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	reader := p.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"survive": all}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	seen, last := make([][]int, writers), make([][batchPartitions]int64, writers)
	for w := range seen {
		seen[w] = make([]int, rounds)
	}
	for ends := 0; ends < batchPartitions; {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(r.Value) == 0 {
				ends++
				return
			}
			w, n, i := be.BigEndian.Uint32(r.Value), be.BigEndian.Uint32(r.Value[4:]), be.BigEndian.Uint32(r.Value[8:])
			place := int64(n)*batchRecords + int64(i) + 1
			if place <= last[w][r.Partition] {
				t.Fatalf("partition %d offset %d: record %d of transaction %d of writer %d comes after place %d", r.Partition, r.Offset, i, n, w, last[w][r.Partition])
			}
			last[w][r.Partition] = place
			seen[w][n]++
		})
	}
	return seen
}
