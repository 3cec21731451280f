package brokertest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// committed reads n records with read_committed and returns their values.
func committed(ctx context.Context, t *testing.T, c *brokertest.Cluster, topic string, n int) []string {
	t.Helper()
	reader := c.Kgo(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer reader.Close()
	var values []string
	for len(values) < n {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(values), n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func transactional(t *testing.T, c *brokertest.Cluster, id string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl := c.Kgo(append([]kgo.Opt{kgo.TransactionalID(id)}, opts...)...)
	t.Cleanup(cl.Close)
	return cl
}

func begin(t *testing.T, cl *kgo.Client) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

func produceIn(ctx context.Context, t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatalf("produce %s: %v", v, err)
		}
	}
}

func end(ctx context.Context, t *testing.T, cl *kgo.Client, how kgo.TransactionEndTry) {
	t.Helper()
	if err := cl.EndTransaction(ctx, how); err != nil {
		t.Fatal(err)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// What was committed is read, what was aborted is not: in transactions v2, and
// in those of clients that do not know them.
func TestItem44_TransactionsAreAtomic(t *testing.T) {
	for name, opts := range map[string][]kgo.Opt{
		"item 44: transactions v2": nil, "item 45: transactions v1": {kgo.MaxVersions(kversion.V3_6_0())},
	} {
		t.Run(name, func(t *testing.T) {
			c, ctx := brokertest.Start(t, brokertest.Topic("t", 2)), deadline(t)
			cl := transactional(t, c, "tx", opts...)
			var want []string
			for i := range 6 {
				begin(t, cl)
				values := []string{fmt.Sprint(i, "a"), fmt.Sprint(i, "b"), fmt.Sprint(i, "c")}
				produceIn(ctx, t, cl, "t", values...)
				if i%2 == 1 {
					end(ctx, t, cl, kgo.TryAbort)
					continue
				}
				end(ctx, t, cl, kgo.TryCommit)
				want = append(want, values...)
			}
			got := committed(ctx, t, c, "t", len(want))
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("read %v, want %v", got, want)
			}
		})
	}
}

// A process that was replaced is told so, for good, and leaves nothing behind.
func TestItem38_ZombieIsFenced(t *testing.T) {
	c, ctx := brokertest.Start(t, brokertest.Topic("t", 1)), deadline(t)
	zombie := transactional(t, c, "tx")
	begin(t, zombie)
	produceIn(ctx, t, zombie, "t", "lost")
	successor := transactional(t, c, "tx")
	begin(t, successor)
	produceIn(ctx, t, successor, "t", "kept")
	end(ctx, t, successor, kgo.TryCommit)
	err := zombie.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("late")}).FirstErr()
	if !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		t.Errorf("the zombie's produce: %v", err)
	}
	if err := zombie.EndTransaction(ctx, kgo.TryCommit); err == nil {
		t.Error("the zombie has committed")
	}
	if got := committed(ctx, t, c, "t", 1); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("read %v", got)
	}
}

// A transaction that lasts too long is aborted, so that readers go on.
func TestItem43_TimeoutAborts(t *testing.T) {
	brokertest.Virtual(t, func(t *testing.T, c *brokertest.Cluster) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		c.CreateTopic("t", 1, nil)
		slow := c.Kgo(kgo.TransactionalID("slow"), kgo.TransactionTimeout(30*time.Second))
		defer slow.Close()
		begin(t, slow)
		produceIn(ctx, t, slow, "t", "late")
		c.Produce("t", "k", "behind")
		started := time.Now()
		if got := committed(ctx, t, c, "t", 1); !slices.Equal(got, []string{"behind"}) {
			t.Errorf("read %v", got)
		}
		if took := time.Since(started); took < 29*time.Second || took > 40*time.Second {
			t.Errorf("the reader went on after %v, the timeout is 30s", took)
		}
		if err := slow.EndTransaction(ctx, kgo.TryCommit); err == nil {
			t.Error("a transaction was committed after its timeout")
		}
	})
}

// Each number of one topic goes to another once, with the offsets in the same
// transaction, over members that come and go and transactions that abort.
func TestItem51_ExactlyOnce(t *testing.T) {
	const n = 600
	c, ctx := brokertest.Start(t, brokertest.Topic("in", 3), brokertest.Topic("out", 3)), deadline(t)
	producer := c.Kgo()
	defer producer.Close()
	for i := range n {
		producer.Produce(ctx, &kgo.Record{Topic: "in", Value: fmt.Appendf(nil, "%04d", i)}, nil)
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for w := range 3 {
		workers.Go(func() { copyExactlyOnce(working, t, c, w) })
	}
	got := committed(ctx, t, c, "out", n)
	stop()
	workers.Wait()
	slices.Sort(got)
	for i, v := range got {
		if want := fmt.Sprintf("%04d", i); v != want {
			t.Fatalf("record %d is %s, want %s: %d were read", i, v, want, len(got))
		}
	}
}

// copyExactlyOnce is one worker. It gives up its place now and then, and every
// third transaction.
func copyExactlyOnce(ctx context.Context, t *testing.T, c *brokertest.Cluster, worker int) {
	for life := 0; ctx.Err() == nil; life++ {
		s, err := kgo.NewGroupTransactSession(
			kgo.SeedBrokers(c.Addrs()...), kgo.TransactionalID(fmt.Sprintf("w%d-%d", worker, life)),
			kgo.ConsumerGroup("copy"), kgo.ConsumeTopics("in"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(50*time.Millisecond),
		)
		if err != nil {
			t.Error(err)
			return
		}
		for round := range 12 {
			polling, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			fetches := s.PollRecords(polling, 20)
			cancel()
			if ctx.Err() != nil {
				break
			}
			if err := s.Begin(); err != nil {
				t.Errorf("begin: %v", err)
				break
			}
			var lost atomic.Bool
			fetches.EachRecord(func(r *kgo.Record) {
				s.Produce(ctx, &kgo.Record{Topic: "out", Value: r.Value}, func(_ *kgo.Record, err error) {
					if err != nil {
						lost.Store(true)
					}
				})
			})
			commit := round%3 != 2 && s.Client().Flush(ctx) == nil && !lost.Load()
			if _, err := s.End(ctx, kgo.TransactionEndTry(commit)); err != nil {
				break // rebalanced away, or the end of the test: another life
			}
		}
		s.Close()
	}
}

// A transaction goes on over a restart of the broker, and one that was decided
// is completed.
func TestItem46_RestartInTheMiddle(t *testing.T) {
	dir, ctx := t.TempDir(), deadline(t)
	first := brokertest.Start(t, brokertest.Dir(dir), brokertest.Topic("t", 1))
	address := first.Addrs()[0]
	cl, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.TransactionalID("tx"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	begin(t, cl)
	produceIn(ctx, t, cl, "t", "committed")
	end(ctx, t, cl, kgo.TryCommit)
	begin(t, cl)
	produceIn(ctx, t, cl, "t", "open")
	first.Close()

	second := brokertest.Start(t, brokertest.Dir(dir), brokertest.Address(address))
	produceIn(ctx, t, cl, "t", "and goes on")
	end(ctx, t, cl, kgo.TryCommit)
	if got, want := committed(ctx, t, second, "t", 3), []string{"committed", "open", "and goes on"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}
