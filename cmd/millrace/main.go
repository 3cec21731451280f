package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const exitInterrupted = 130

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends a command that does not end by itself
	s := &shell{in: in, out: out, errs: errs, began: time.Now()}
	root := s.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && !s.serving {
		return exitInterrupted
	}
	return s.report(err)
}
