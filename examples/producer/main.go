// Command producer writes orders with a key and a partitioner of its own, and
// prints where each of them went. It runs on any Kafka.
//
//	go run ./examples/producer --bootstrap localhost:9092
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	bootstrap := flag.String("bootstrap", "localhost:9092", "brokers, host:port, separated by commas")
	topic := flag.String("topic", "example-orders", "topic to write to; it is made if it is missing")
	flag.Parse()
	if err := run(ctx, strings.Split(*bootstrap, ","), *topic, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "producer:", err)
		stop()
		os.Exit(1)
	}
}

// orders are what is written: customers starting with "vip-" must not wait
// behind all others.
var orders = []struct{ customer, order string }{
	{"ann", "1 coffee"}, {"bob", "2 teas"}, {"vip-cy", "40 cakes"}, {"ann", "1 bun"}, {"dan", "water"}, {"vip-eve", "a table"},
}

const partitions = 4

func run(ctx context.Context, brokers []string, topic string, out io.Writer) error {
	client, err := newClient(brokers, topic)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := create(ctx, client, topic); err != nil {
		return err
	}
	return write(ctx, client, out)
}

func newClient(brokers []string, topic string) (*kgo.Client, error) {
	return kgo.NewClient(append(retries(),
		kgo.SeedBrokers(brokers...),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(vipFirst()),
	)...)
}

// write writes the orders and prints a line for each that is acked.
func write(ctx context.Context, client *kgo.Client, out io.Writer) error {
	for _, o := range orders {
		record := &kgo.Record{Key: []byte(o.customer), Value: []byte(o.order)}
		// The acked record is the one that was sent, with what the broker made
		// of it: what Java calls RecordMetadata.
		acked, err := client.ProduceSync(ctx, record).First()
		if err != nil {
			return fmt.Errorf("order of %s: %w", o.customer, err)
		}
		fmt.Fprintf(out, "%-8s %-9s to %s, partition %d, offset %d, at %s\n", acked.Key, acked.Value,
			acked.Topic, acked.Partition, acked.Offset, acked.Timestamp.Format(time.RFC3339))
	}
	return nil
}

// retries say how long a record is worth trying. Idempotence, which is on
// unless it is switched off, keeps a record that is sent again from standing
// twice.
func retries() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordDeliveryTimeout(time.Minute), // in all, from Produce to the ack
		kgo.RecordRetries(1000),                // the time above ends it
		kgo.RetryBackoffFn(func(attempt int) time.Duration {
			return min(50*time.Millisecond<<min(attempt, 10), 2*time.Second)
		}),
	}
}

// vipFirst keeps the last partition for important customers, and spreads all
// others over the rest by the hash of the key, as every client of Kafka does:
// the same customer always goes to the same partition, so that orders of one
// customer stay in order.
func vipFirst() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		rest := byKey.ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			if n == 1 || strings.HasPrefix(string(r.Key), "vip-") {
				return n - 1
			}
			return rest.Partition(r, n-1)
		}
	})
}

func create(ctx context.Context, client *kgo.Client, topic string) error {
	_, err := kadm.NewClient(client).CreateTopic(ctx, partitions, -1, nil, topic)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}
