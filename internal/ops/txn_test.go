package ops

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// begin leaves a transaction open that has written one record to partition 0.
func begin(t *testing.T, b *brokertest.Cluster, id, topic string) {
	t.Helper()
	producer := b.Kgo(kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	producer.Close()
}

// forget loses what the coordinators of transactions have, as a cluster does
// whose __transaction_state was lost.
func forget(t *testing.T, dir string) {
	t.Helper()
	var lost []string
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "__transaction_state-") {
			lost = append(lost, path)
			return filepath.SkipDir
		}
		return err
	}); err != nil || len(lost) == 0 {
		t.Fatal("no partitions of __transaction_state in ", dir, err)
	}
	for _, path := range lost {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTransactions(t *testing.T) {
	b := brokertest.Start(t, brokertest.Topic("t", 1))
	c, ctx := on(t, b), t.Context()
	begin(t, b, "orders", "t")
	list, err := c.Transactions(ctx, "", 0)
	if err != nil || len(list) != 1 || list[0].ID != "orders" || list[0].State != "Ongoing" {
		t.Fatalf("%+v %v", list, err)
	}
	for _, of := range []struct {
		state    string
		duration time.Duration
		want     int
	}{{"Ongoing", 0, 1}, {"Empty", 0, 0}, {"", time.Hour, 0}, {"", time.Nanosecond, 1}, {"Ongoing", time.Nanosecond, 1}} {
		await(t, "list that fits", func() bool {
			list, err := c.Transactions(ctx, of.state, of.duration)
			return err == nil && len(list) == of.want
		})
	}
	d, err := c.DescribeTransaction(ctx, "orders")
	if err != nil || d.State != "Ongoing" || d.TimeoutMS != 600_000 || d.Started == nil || len(d.Parts) != 1 || d.Parts[0] != (TopicPartition{"t", 0}) {
		t.Errorf("%+v %v", d, err)
	}
	_, err = c.DescribeTransaction(ctx, "nope")
	_ = fault(t, err, NotFound, CodeNoTransaction)
	if age := c.OldestTransaction(ctx); age != 20*time.Minute {
		t.Errorf("a transaction hangs after %s", age)
	}
	_, err = c.HangingTransactions(ctx, "nope", 0)
	_ = fault(t, err, NotFound, CodeNoTopic)
}

// KIP-664: a transaction that no coordinator knows keeps consumers of committed
// records waiting, until it is found and aborted. One that a coordinator has is
// neither found nor aborted.
func TestHangingTransaction(t *testing.T) {
	dir := t.TempDir()
	b := brokertest.Start(t, brokertest.Dir(dir), brokertest.Topic("t", 2), brokertest.Topic("u", 1))
	begin(t, b, "lost", "t")
	b.Close()
	forget(t, dir)

	b = brokertest.Start(t, brokertest.Dir(dir))
	c, ctx := on(t, b), t.Context()
	begin(t, b, "alive", "u")
	plain := b.Kgo(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := plain.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("behind")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if young, err := c.HangingTransactions(ctx, "", c.OldestTransaction(ctx)); err != nil || len(young) != 0 {
		t.Errorf("younger than any timeout: %+v %v", young, err)
	}
	hanging, err := c.HangingTransactions(ctx, "", 0)
	if err != nil || len(hanging) != 1 || hanging[0].TopicPartition != (TopicPartition{"t", 0}) || hanging[0].StartOffset != 0 || hanging[0].TransactionalID != "" {
		t.Fatalf("%+v %v", hanging, err)
	}
	if other, err := c.HangingTransactions(ctx, "u", 0); err != nil || len(other) != 0 {
		t.Errorf("in another topic: %+v %v", other, err)
	}

	reader := b.Kgo(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	soon, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if n := reader.PollFetches(soon).NumRecords(); n != 0 {
		t.Fatalf("%d records are read in spite of the open transaction", n)
	}

	_, err = c.TransactionToAbort(ctx, Abort{TopicPartition: TopicPartition{"t", 0}, StartOffset: 7})
	if f := fault(t, err, NotFound, CodeNoTransaction); !strings.Contains(f.Hint, "begin at 0") {
		t.Errorf("hint: %s", f.Hint)
	}
	_, err = c.TransactionToAbort(ctx, Abort{TopicPartition: TopicPartition{"u", 0}})
	_ = fault(t, err, Conflict, CodeCoordinated)
	if forced, err := c.TransactionToAbort(ctx, Abort{TopicPartition: TopicPartition{"u", 0}, Force: true}); err != nil || forced.TransactionalID != "alive" {
		t.Errorf("forced: %+v %v", forced, err)
	}

	found, err := c.TransactionToAbort(ctx, Abort{TopicPartition: TopicPartition{"t", 0}})
	if err != nil || !found.same(hanging[0]) {
		t.Fatalf("%+v %v", found, err)
	}
	if err := c.AbortTransaction(ctx, found); err != nil {
		t.Fatal(err)
	}
	records := reader.PollFetches(ctx).Records()
	if len(records) != 1 || string(records[0].Value) != "behind" {
		t.Errorf("read after the abort: %v", records)
	}
	if left, err := c.HangingTransactions(ctx, "", 0); err != nil || len(left) != 0 {
		t.Errorf("left: %+v %v", left, err)
	}
}
