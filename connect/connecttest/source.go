package connecttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// items is how many values a run moves; every boundary between them is tried.
const items = 12

// SourceDriver says how to test a source.
type SourceDriver struct {
	Plugin connect.Plugin
	// New makes an empty outside system.
	New func(t *testing.T) SourceSystem
	// Bad are settings that must be refused, over those of a system.
	Bad []map[string]string
}

// SourceSystem is what a source reads from.
type SourceSystem struct {
	// Settings of the plugin, as flat properties.
	Settings map[string]string
	// Add puts values into it, in order, each a record with the value as its
	// string.
	Add func(values ...string)
}

// Source tests a source.
func Source(t *testing.T, d SourceDriver) {
	t.Run("resumes at every boundary", func(t *testing.T) { resumes(t, d) })
	t.Run("blocked Read ends with its context", func(t *testing.T) { cancels(t, d) })
	t.Run("bad settings", func(t *testing.T) { refuses(t, d.Plugin, d.New(t).Settings, d.Bad) })
}

func values(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("value %03d", i))
	}
	return out
}

// resumes crashes the task behind each record in turn. What comes next is the
// record after it, and every later one.
func resumes(t *testing.T, d SourceDriver) {
	for stored := range items + 1 {
		system := d.New(t)
		system.Add(values(0, items)...)
		run := openSource(t, d.Plugin, system.Settings, nil)
		records := run.read(t, items)
		run.close(t)
		positions := map[string]connect.Position{}
		for _, r := range records[:stored] {
			positions[partitionOf(r.Source)] = r.Source
		}
		system.Add(values(items, items+2)...)
		run = openSource(t, d.Plugin, system.Settings, positions)
		got := textOf(run.read(t, items+2-stored))
		run.close(t)
		if want := values(stored, items+2); !slices.Equal(got, want) {
			t.Fatalf("stored behind %d records, resumed with %q, want %q", stored, got, want)
		}
	}
}

func cancels(t *testing.T, d SourceDriver) {
	system := d.New(t)
	system.Add(values(0, 1)...)
	run := openSource(t, d.Plugin, system.Settings, nil)
	run.read(t, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run.task.Read(ctx, connect.NewBatch(10, 1<<20)) }()
	cancel()
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Error("Read goes on a second after its context has ended")
		<-done
	}
	run.close(t)
}

func partitionOf(p connect.Position) string { return fmt.Sprint(p.Partition) }

func textOf(records []connect.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, fmt.Sprint(r.Value.Any))
	}
	return out
}

// sourceRun is one life of a source and its task.
type sourceRun struct {
	source connect.Source
	task   connect.SourceTask
}

func openSource(t *testing.T, p connect.Plugin, settings map[string]string, stored map[string]connect.Position) *sourceRun {
	t.Helper()
	config, err := connect.Configure(named(p, settings), []connect.Plugin{p}, connect.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	source, err := config.OpenSource(connect.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := source.Start(ctx, sourceContext{t}); err != nil {
		t.Fatal(err)
	}
	plan, err := source.Plan(ctx, 1)
	if err != nil || len(plan) != 1 {
		t.Fatalf("planned %d tasks of 1: %v", len(plan), err)
	}
	run := &sourceRun{source, source.NewTask()}
	if err := run.task.Open(ctx, taskContext{t, plan[0], stored}); err != nil {
		t.Fatal(err)
	}
	return run
}

// read reads until there are n records, and fails after a while without.
func (r *sourceRun) read(t *testing.T, n int) []connect.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var out []connect.Record
	batch := connect.NewBatch(5, 1<<20)
	for len(out) < n {
		batch.Reset()
		err := r.task.Read(ctx, batch)
		for _, one := range batch.Records {
			if err := one.Source.Validate(); err != nil {
				t.Fatal(err)
			}
			out = append(out, one)
		}
		if err != nil && len(out) < n {
			t.Fatalf("%d of %d records: %v", len(out), n, err)
		}
	}
	return out
}

func (r *sourceRun) close(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	if err := errors.Join(r.task.Close(ctx), r.source.Stop(ctx)); err != nil {
		t.Fatal(err)
	}
}
