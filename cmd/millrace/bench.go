package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-io/millrace/cluster"
	"github.com/millrace-io/millrace/internal/bench"
)

// benched is what the commands below bench share: the servers, and how often.
type benched struct {
	s          *shell
	against    []string
	pid        int
	againstPID int
	runs       int
	durability string
	bytes      int64
	time       time.Duration
}

func (s *shell) benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bench", Short: "Measure a server of Kafka's protocol, alone or beside another one",
		Long: "Put load on a server and print what it reaches and what it costs it: medians of several runs,\n" +
			"with the CPU time of its process where that runs on this machine. --against names another\n" +
			"server, which gets the same load in turn. Every run uses a topic of its own, bench-..., and\n" +
			"deletes it. docs/performance.md says how to read the figures.",
	}
	c.AddCommand(s.benchProduce(), s.benchConsume(), s.benchEndToEnd(), s.benchRaw(), s.benchProbe(), s.benchSuite(), benchFloor())
	return c
}

// flags adds what all loads have.
func (s *shell) benched(c *cobra.Command) *benched {
	b := &benched{s: s}
	s.printing(s.onCluster(c))
	check := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if b.runs < 1 {
			return usage(c, "--runs %d: need at least 1", b.runs)
		}
		if err := oneOf(c, "--durability", b.durability, bench.Durabilities()); err != nil {
			return err
		}
		return check(c, args)
	}
	f := c.Flags()
	f.StringSliceVar(&b.against, "against", nil, "another server to compare with, host:port")
	f.IntVar(&b.pid, "pid", 0, "process of the server; found by its port without it")
	f.IntVar(&b.againstPID, "against-pid", 0, "process of the other server")
	f.IntVar(&b.runs, "runs", 5, "runs on each server")
	f.StringVar(&b.durability, "durability", string(bench.Default), "what an ack promises: default, fsync or pagecache")
	f.Int64Var(&b.bytes, "bytes", 1<<30, "bytes after which a run ends")
	f.DurationVar(&b.time, "time", 10*time.Second, "time after which a run ends")
	return b
}

func (b *benched) limit() bench.Limit { return bench.Limit{Bytes: b.bytes, Time: b.time} }

// targets connects to the servers that the flags name.
func (b *benched) targets(ctx context.Context) ([]*bench.Target, func(), error) {
	var all []*bench.Target
	closeAll := func() {
		for _, t := range all {
			t.Close()
		}
	}
	profiles := []cluster.Profile{b.s.profile()}
	if len(b.against) > 0 {
		profiles = append(profiles, cluster.Profile{Bootstrap: b.against, ClientID: "millrace-cli"})
	}
	for i, profile := range profiles {
		name, pid := profile.Bootstrap[0], []int{b.pid, b.againstPID}[i]
		t, err := bench.Connect(ctx, name, profile, pid)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		if t.PID == 0 {
			fmt.Fprintf(b.s.errs, "the process behind %s is not known: no CPU time and memory; --pid names it\n", name)
		}
		all = append(all, t)
	}
	return all, closeAll, nil
}

// load is what a command puts on the servers.
type load interface {
	Run(ctx context.Context, t *bench.Target) (bench.Sample, error)
}

// compare puts a load on the servers in turn and prints the results.
func (b *benched) compare(ctx context.Context, l load) error {
	targets, closeAll, err := b.targets(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	var sides []bench.Side
	for _, t := range targets {
		sides = append(sides, bench.Side{Name: t.Name, Run: func(ctx context.Context) (bench.Sample, error) { return l.Run(ctx, t) }})
	}
	results, err := bench.Interleave(ctx, b.runs, sides, b.progress)
	if err != nil {
		return err
	}
	return b.s.print(resultView(results))
}

func (b *benched) progress(text string) { fmt.Fprintln(b.s.errs, text) }

func (s *shell) benchProduce() *cobra.Command {
	p := bench.Produce{}
	c := &cobra.Command{Use: "produce", Short: "Write records by franz-go", Args: exactly()}
	b := s.benched(c)
	c.Flags().IntVar(&p.RecordBytes, "size", 1<<10, "bytes of a record's value")
	c.Flags().IntVar(&p.BatchBytes, "batch", 1<<20, "most bytes of a batch")
	c.Flags().IntVar(&p.Partitions, "partitions", 4, "partitions of the topic")
	c.Flags().IntVar(&p.Producers, "producers", 1, "clients")
	c.Flags().IntVar(&p.Acks, "acks", -1, "0, 1, or -1 for all")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		p.Durability, p.Limit = bench.Durability(b.durability), b.limit()
		return b.compare(cmd.Context(), p)
	}
	return c
}

func (s *shell) benchConsume() *cobra.Command {
	l := bench.RawProduce{Connections: 4, InFlight: 2, Acks: -1}
	c := &cobra.Command{Use: "consume", Short: "Fill a topic, then read it by franz-go", Args: exactly()}
	b := s.benched(c)
	c.Flags().IntVar(&l.RecordBytes, "size", 1<<10, "bytes of a record's value")
	c.Flags().IntVar(&l.BatchBytes, "batch", 256<<10, "bytes of a batch")
	c.Flags().IntVar(&l.Partitions, "partitions", 4, "partitions of the topic")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		l.Durability, l.Limit = bench.Durability(b.durability), bench.Limit{Bytes: b.bytes}
		return b.compare(cmd.Context(), bench.Consume{Fill: l})
	}
	return c
}

func (s *shell) benchEndToEnd() *cobra.Command {
	e := bench.EndToEnd{}
	c := &cobra.Command{Use: "e2e", Short: "Take the time from when a record was due until a consumer has it", Args: exactly()}
	b := s.benched(c)
	c.Flags().IntVar(&e.RecordBytes, "size", 1<<10, "bytes of a record's value")
	c.Flags().IntVar(&e.Rate, "rate", 1000, "records per second")
	c.Flags().IntVar(&e.Partitions, "partitions", 1, "partitions of the topic")
	c.Flags().IntVar(&e.Acks, "acks", -1, "0, 1, or -1 for all")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if e.Rate < 1 {
			return usage(cmd, "--rate %d: need at least 1", e.Rate)
		}
		e.Durability, e.Time = bench.Durability(b.durability), b.time
		return b.compare(cmd.Context(), e)
	}
	return c
}

func (s *shell) benchRaw() *cobra.Command {
	p := bench.RawProduce{}
	var acks int
	var fetch bool
	c := &cobra.Command{
		Use: "raw", Short: "Send requests encoded beforehand over bare connections", Args: exactly(),
		Long: "Send requests that were encoded beforehand over bare connections, so that no client library\nlimits the server. The cluster must have one broker. With --fetch a topic is filled, and then\nread by a connection per partition.",
	}
	b := s.benched(c)
	c.Flags().IntVar(&p.RecordBytes, "size", 1<<10, "bytes of a record's value")
	c.Flags().IntVar(&p.BatchBytes, "batch", 16<<10, "bytes of a batch, with --fetch of a response")
	c.Flags().IntVar(&p.Partitions, "partitions", 4, "partitions of the topic")
	c.Flags().IntVar(&p.Connections, "connections", 4, "connections")
	c.Flags().IntVar(&p.InFlight, "in-flight", 5, "requests under way on each connection")
	c.Flags().IntVar(&acks, "acks", -1, "1, or -1 for all")
	c.Flags().BoolVar(&fetch, "fetch", false, "read instead of writing")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if acks != 1 && acks != -1 {
			return usage(cmd, "--acks %d: need 1 or -1", acks)
		}
		p.Durability, p.Limit, p.Acks = bench.Durability(b.durability), b.limit(), int16(acks)
		if fetch {
			return b.compare(cmd.Context(), bench.RawFetch{MaxBytes: p.BatchBytes, Partitions: p.Partitions, Fill: p})
		}
		return b.compare(cmd.Context(), p)
	}
	return c
}

func (s *shell) benchProbe() *cobra.Command {
	var dir string
	c := &cobra.Command{Use: "probe", Short: "Measure what disk and loopback of this machine can do", Args: exactly()}
	c.Flags().StringVar(&dir, "dir", os.TempDir(), "directory on the disk to measure")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		p, err := bench.Measure(cmd.Context(), dir)
		if err != nil {
			return err
		}
		return s.print(probeView(p))
	}
	return s.printing(c)
}

func (s *shell) benchSuite() *cobra.Command {
	var dir string
	var only []string
	var warm time.Duration
	c := &cobra.Command{
		Use: "suite", Short: "Run all workloads that have goals, and hold them against the goals", Args: exactly(),
		Long: "Run all workloads that have goals, each beside its floor, which is what the same load costs a\nserver that only reads, appends and replies. The server must run on this machine. Takes about\nan hour with --against and the defaults.",
	}
	b := s.benched(c)
	c.Flags().StringVar(&dir, "dir", os.TempDir(), "directory on the servers' disk, for the floor")
	c.Flags().StringSliceVar(&only, "only", nil, "workloads to run; all without it")
	c.Flags().DurationVar(&warm, "warm", 0, "how long each server is warmed up before")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range only {
			if err := oneOf(cmd, "--only", name, bench.Works()); err != nil {
				return err
			}
		}
		targets, closeAll, err := b.targets(cmd.Context())
		if err != nil {
			return err
		}
		defer closeAll()
		suite := bench.Suite{Ours: targets[0], Runs: b.runs, Limit: b.limit(), Dir: dir, Only: only, Progress: b.progress}
		if len(targets) > 1 {
			suite.Against = targets[1]
		}
		for _, t := range targets {
			if warm > 0 {
				b.progress("warm up " + t.Name)
			}
			if err := bench.Warm(cmd.Context(), t, warm); err != nil {
				return err
			}
		}
		report, err := suite.Run(cmd.Context())
		if err != nil {
			return err
		}
		return s.printReport(report)
	}
	return c
}

// benchFloor is the probe's server, which the suite starts by itself.
func benchFloor() *cobra.Command {
	var f bench.Floor
	c := &cobra.Command{Use: bench.FloorCommand, Hidden: true, Args: exactly()}
	c.Flags().StringVar(&f.Dir, "dir", "", "where to append")
	c.Flags().StringVar(&f.File, "file", "", "what to send")
	c.Flags().IntVar(&f.Chunk, "chunk", 0, "bytes to send at a time")
	c.Flags().BoolVar(&f.Copy, "copy", false, "send through memory")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return bench.RunFloor(cmd.Context(), f, cmd.InOrStdin(), cmd.OutOrStdout())
	}
	return c
}
