package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/broker/brokertest"
)

// Important customers have a partition of their own, and what is printed of a
// record is where it stands.
func TestOrders(t *testing.T) {
	b := brokertest.Start(t)
	var out strings.Builder
	if err := run(t.Context(), b.Addrs(), "orders", &out); err != nil {
		t.Fatal(err)
	}
	client := b.Kgo(kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	byCustomer := map[string]int32{}
	for read := 0; read < len(orders); {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			read++
			if vip := strings.HasPrefix(string(r.Key), "vip-"); vip != (r.Partition == partitions-1) {
				t.Errorf("%s went to partition %d", r.Key, r.Partition)
			}
			if p, known := byCustomer[string(r.Key)]; known && p != r.Partition {
				t.Errorf("%s went to partitions %d and %d", r.Key, p, r.Partition)
			}
			byCustomer[string(r.Key)] = r.Partition
			line := fmt.Sprintf("%-8s %-9s to orders, partition %d, offset %d, at %s\n", r.Key, r.Value, r.Partition, r.Offset, r.Timestamp.Format(time.RFC3339))
			if !strings.Contains(out.String(), line) {
				t.Errorf("%q was not printed in\n%s", line, out.String())
			}
		})
	}
}

// A broker that is away for a while costs time and no order.
func TestRetries(t *testing.T) {
	dir := t.TempDir()
	first := brokertest.Start(t, brokertest.Dir(dir), brokertest.Topic("orders", partitions))
	addrs := first.Addrs()
	first.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := newClient(addrs, "orders")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out strings.Builder
	ended := make(chan error, 1)
	go func() { ended <- write(ctx, client, &out) }()
	select {
	case err := <-ended:
		t.Fatalf("ended without a broker: %v", err)
	case <-time.After(300 * time.Millisecond): // some attempts have failed
	}
	brokertest.Start(t, brokertest.Dir(dir), brokertest.Address(addrs[0]))
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != len(orders) {
		t.Errorf("%d of %d orders were acked", lines, len(orders))
	}
}
