package connecttest

import (
	"context"
	"testing"
	"time"

	"github.com/millrace-io/millrace/connect"
)

// SinkDriver says how to test a sink.
type SinkDriver struct {
	Plugin connect.Plugin
	// New makes an empty outside system.
	New func(t *testing.T) SinkSystem
	// Bad are settings that must be refused, over those of a system.
	Bad []map[string]string
}

// SinkSystem is what a sink writes to.
type SinkSystem struct {
	Settings map[string]string
	// Values reads back what is durable there, as strings, in order.
	Values func() []string
}

// Sink tests a sink.
func Sink(t *testing.T, d SinkDriver) {
	t.Run("what is flushed is there", func(t *testing.T) { flushed(t, d) })
	t.Run("replay after a crash at every step", func(t *testing.T) { replays(t, d) })
	t.Run("tombstones", func(t *testing.T) { tombstones(t, d) })
	t.Run("bad settings", func(t *testing.T) { refuses(t, d.Plugin, d.New(t).Settings, d.Bad) })
}

func partition() connect.TopicPartition { return connect.TopicPartition{Topic: "kit", Partition: 0} }

// flushed holds the sink to its word: offsets only grow, and every value
// below one that was reported can be read back.
func flushed(t *testing.T, d SinkDriver) {
	system := d.New(t)
	run := openSink(t, d.Plugin, system.Settings)
	durable := int64(0)
	for i := range items {
		run.write(t, i, i+1)
		next, err := run.task.Flush(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if next[partition()] < durable || next[partition()] > int64(i+1) {
			t.Fatalf("after %d records flushed up to %d, before that %d", i+1, next[partition()], durable)
		}
		durable = next[partition()]
		missing(t, system.Values(), values(0, int(durable)))
	}
	run.close(t)
}

// replays crashes behind each record: the next run begins at what was flushed
// before, and everything is there in the end.
func replays(t *testing.T, d SinkDriver) {
	for crash := range items {
		system := d.New(t)
		run := openSink(t, d.Plugin, system.Settings)
		run.write(t, 0, crash/2)
		next, err := run.task.Flush(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		run.write(t, crash/2, crash)
		run.close(t) // without a flush
		run = openSink(t, d.Plugin, system.Settings)
		begin := int(next[partition()])
		if own, ok := run.own[partition()]; ok {
			begin = int(own)
		}
		run.write(t, begin, items)
		if next, err = run.task.Flush(context.Background()); err != nil || next[partition()] != items {
			t.Fatalf("flushed %v, %v", next, err)
		}
		run.close(t)
		missing(t, system.Values(), values(0, items))
	}
}

func tombstones(t *testing.T, d SinkDriver) {
	run := openSink(t, d.Plugin, d.New(t).Settings)
	null := connect.Record{Topic: "kit", Offset: 0, Timestamp: time.UnixMilli(-1), Key: connect.Text("k")}
	if err := run.task.Write(context.Background(), []connect.Record{null}); err != nil {
		t.Error(err)
	}
	run.close(t)
}

func missing(t *testing.T, got, want []string) {
	t.Helper()
	there := map[string]bool{}
	for _, v := range got {
		there[v] = true
	}
	for _, v := range want {
		if !there[v] {
			t.Fatalf("%q was reported as durable and is not there: %q", v, got)
		}
	}
}

// sinkRun is one life of a sink's task, with its partition assigned.
type sinkRun struct {
	task connect.SinkTask
	own  map[connect.TopicPartition]int64
}

func openSink(t *testing.T, p connect.Plugin, settings map[string]string) *sinkRun {
	t.Helper()
	config, err := connect.Configure(named(p, settings), []connect.Plugin{p}, connect.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	sink, err := config.OpenSink(connect.Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	run := &sinkRun{task: sink.NewTask()}
	if err := run.task.Open(ctx, taskContext{t, connect.TaskConfig{}, nil}); err != nil {
		t.Fatal(err)
	}
	if run.own, err = run.task.Assigned(ctx, []connect.TopicPartition{partition()}); err != nil {
		t.Fatal(err)
	}
	return run
}

func (r *sinkRun) write(t *testing.T, from, to int) {
	t.Helper()
	var records []connect.Record
	for i, value := range values(from, to) {
		records = append(records, connect.Record{Topic: "kit", Offset: int64(from + i), Timestamp: time.Unix(0, 0), Value: connect.Text(value)})
	}
	if len(records) == 0 {
		return
	}
	if err := r.task.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
}

func (r *sinkRun) close(t *testing.T) {
	t.Helper()
	if err := r.task.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
