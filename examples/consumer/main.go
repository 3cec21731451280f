// Command consumer reads a topic as a member of a group, begins where it is
// told to, and lets the client commit every five seconds. It runs on any Kafka.
//
//	go run ./examples/consumer --bootstrap localhost:9092 --topic example-orders
//	go run ./examples/consumer --seek start       # everything once more
//	go run ./examples/consumer --seek 10m         # what came in the last ten minutes
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := consumer{out: os.Stdout}
	bootstrap := flag.String("bootstrap", "localhost:9092", "brokers, host:port, separated by commas")
	flag.StringVar(&c.topic, "topic", "example-orders", "topic to read")
	flag.StringVar(&c.group, "group", "example-readers", "group to be a member of")
	flag.StringVar(&c.seek, "seek", "", "where to begin instead of at the group's offsets: start, end, or a duration ago, such as 10m")
	flag.IntVar(&c.count, "n", 0, "records after which to end; 0 for never")
	flag.Parse()
	if err := c.run(ctx, kgo.SeedBrokers(strings.Split(*bootstrap, ",")...)); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		stop()
		os.Exit(1)
	}
}

type consumer struct {
	topic, group, seek string
	count              int
	out                io.Writer
}

// commitEvery is how often the client commits what was read, by itself. A
// consumer that is killed reads again at most what came since.
const commitEvery = 5 * time.Second

// run reads until count records were printed or ctx ends.
func (c consumer) run(ctx context.Context, reach ...kgo.Opt) error {
	opts := append(slices.Clip(reach),
		kgo.ConsumerGroup(c.group),
		kgo.ConsumeTopics(c.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // for a group without offsets
		kgo.AutoCommitInterval(commitEvery),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			c.tell("assigned", parts)
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, parts map[string][]int32) {
			// What was printed is committed before another member gets it.
			if err := client.CommitUncommittedOffsets(ctx); err != nil {
				fmt.Fprintln(c.out, "commit:", err)
			}
			c.tell("revoked", parts)
		}),
	)
	if c.seek != "" {
		to, err := position(c.seek)
		if err != nil {
			return err
		}
		opts = append(opts, kgo.AdjustFetchOffsetsFn(seekOnce(to)))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close() // leaves the group; what was read is committed before
	for read := 0; c.count == 0 || read < c.count; {
		fetches := client.PollRecords(ctx, max(c.count-read, 0))
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			fmt.Fprintf(c.out, "partition %d, offset %d: %s %s\n", r.Partition, r.Offset, r.Key, r.Value)
			read++
		})
	}
	return nil
}

// tell prints how the group divides the work.
func (c consumer) tell(what string, parts map[string][]int32) {
	if len(parts[c.topic]) > 0 {
		fmt.Fprintf(c.out, "%s: partitions %v\n", what, parts[c.topic])
	}
}

// position reads the value of --seek.
func position(text string) (kgo.Offset, error) {
	switch text {
	case "start":
		return kgo.NewOffset().AtStart(), nil
	case "end":
		return kgo.NewOffset().AtEnd(), nil
	}
	ago, err := time.ParseDuration(text)
	if err != nil {
		return kgo.Offset{}, fmt.Errorf("--seek %s: need start, end or a duration", text)
	}
	return kgo.NewOffset().AfterMilli(time.Now().Add(-ago).UnixMilli()), nil
}

// seekOnce moves each partition there when it is assigned for the first time.
// One that comes back after a rebalance goes on at its committed offset.
func seekOnce(to kgo.Offset) func(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	moved := map[string]map[int32]bool{}
	return func(_ context.Context, at map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
		for topic, parts := range at {
			if moved[topic] == nil {
				moved[topic] = map[int32]bool{}
			}
			for p := range parts {
				if !moved[topic][p] {
					parts[p], moved[topic][p] = to, true
				}
			}
		}
		return at, nil
	}
}
