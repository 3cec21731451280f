// Command demo runs the weblog example in one process and checks its result:
// broker, registry, connectors, the streams application and a mirror to a
// second cluster, on an access log. It is what `make demo` starts.
//
// With -bootstrap the same runs on another Kafka, with a run id in all names,
// and leaves nothing behind there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long a run may take before it is given up.
const patience = 2 * time.Minute

func main() {
	input := flag.String("input", "examples/weblog/access.log.gz", "access log in combined format, plain or gzip")
	bootstrap := flag.String("bootstrap", "", "run on this Kafka (host:port,...) instead of an embedded broker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *input, *bootstrap); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// errWrong is returned when everything ended and the numbers do not agree.
var errWrong = errors.New("the counts do not agree")

// run runs the pipeline on a log and prints what came out of it.
func run(ctx context.Context, out io.Writer, input, bootstrap string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lines, err := countLines(input)
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := startPipeline(ctx, input, bootstrap)
	if err != nil {
		return err
	}
	p.began = began
	fmt.Fprintf(out, "%s: %d lines; broker, registry, connectors, streams and mirror started after %s\n", input, lines, p.since())
	err = p.await(ctx, out, lines)
	var r result
	if err == nil {
		r, err = p.result(ctx, lines)
	}
	if err = errors.Join(err, p.close()); err != nil {
		return err
	}
	r.print(out)
	if !r.ok() {
		return errWrong
	}
	return nil
}
