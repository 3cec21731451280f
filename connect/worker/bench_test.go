package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/plugins/all"
	"github.com/millrace-io/millrace/connect/worker"
)

// BenchmarkFileToTopic moves a file of 100,000 lines of 100 bytes into a
// topic of the bundled broker, positions stored every second.
func BenchmarkFileToTopic(b *testing.B) {
	const lines = 100_000
	path := filepath.Join(b.TempDir(), "in.log")
	text := make([]byte, 0, lines*100)
	for i := range lines {
		text = fmt.Appendf(text, "%099d\n", i)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		profile := brokertest.Start(b).Cluster()
		source := connect.Connector{Name: "in", State: "running", Properties: map[string]string{
			"name": "in", "connector.class": "file-source", "path": path, "topic": "t", "topic.creation.default.partitions": "4",
		}}
		w, err := worker.New(worker.Config{Cluster: profile, Plugins: all.List(), Connectors: []connect.Connector{source}})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		client, err := profile.Client()
		if err != nil {
			b.Fatal(err)
		}
		admin, deadline := kadm.NewClient(client), time.Now().Add(time.Minute)
		for total := int64(0); total < lines; {
			if time.Now().After(deadline) {
				b.Fatalf("%d of %d lines", total, lines)
			}
			<-time.After(10 * time.Millisecond)
			ends, err := admin.ListEndOffsets(ctx, "t")
			total = 0
			if err == nil {
				ends.Each(func(o kadm.ListedOffset) { total += max(0, o.Offset) })
			}
		}
		cancel()
		client.Close()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
