// Command delivery shows what the three guarantees of delivery mean, by killing
// a worker in the middle of its work: kill -9 of a real process, between the
// work and the commit. It runs on any Kafka.
//
//	go run ./examples/delivery --bootstrap localhost:9092
//
// It prints a line for each guarantee, with the count that proves it:
//
//	at most once   100 in,  95 out:  5 lost, 0 twice
//	at least once  100 in, 105 out:  0 lost, 5 twice
//	exactly once   100 in, 100 out:  0 lost, 0 twice
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == workerCommand {
		err = workerMain(ctx, os.Args[2:])
	} else {
		err = delivery(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "delivery:", err)
		stop()
		os.Exit(1)
	}
}

func delivery(ctx context.Context) error {
	bootstrap := flag.String("bootstrap", "localhost:9092", "brokers, host:port, separated by commas")
	flag.Parse()
	for _, m := range modes {
		c, err := prove(ctx, strings.Split(*bootstrap, ","), m)
		if err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
		fmt.Printf("%-14s %3d in, %3d out: %2d lost, %d twice\n", m, c.in, c.out, c.lost, c.twice)
	}
	return nil
}
