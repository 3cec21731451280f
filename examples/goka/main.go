// Command goka counts clicks per user with an unchanged goka processor: an
// emitter writes clicks, a processor counts them in its group table, and a view
// reads the table. Nothing in it knows which Kafka it runs on.
//
//	BOOTSTRAP=localhost:9092 go run ./examples/goka
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	brokers := strings.Split(env("BOOTSTRAP", "localhost:9092"), ",")
	dir := env("STATE", filepath.Join(os.TempDir(), "example-goka"))
	if err := run(ctx, brokers, dir, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "goka:", err)
		stop()
		os.Exit(1)
	}
}

// run emits clicks, waits until the view shows all of them, and prints it. goka
// keeps its local copies of the table below dir.
func run(ctx context.Context, brokers []string, dir string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := createTopic(brokers); err != nil {
		return fmt.Errorf("create topic %s: %w", clicks, err)
	}
	counter, err := start(ctx, brokers, dir)
	if err != nil {
		return err
	}
	before, err := counter.counts()
	if err != nil {
		return err
	}
	want := map[string]int64{"ann": 3, "bob": 2, "cy": 1}
	if err := emit(brokers, want); err != nil {
		return fmt.Errorf("emit: %w", err)
	}
	for user := range want {
		want[user] += before[user]
	}
	got, err := counter.until(ctx, want)
	if err != nil {
		return err
	}
	for _, user := range []string{"ann", "bob", "cy"} {
		fmt.Fprintf(out, "%-4s %d\n", user, got[user])
	}
	return counter.stop()
}

func env(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
