//go:build integration

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaJS copies the stories beside an installed kafkajs 2.2.4.
func kafkaJS(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kafkajs")
	if err := os.CopyFS(dir, os.DirFS("testdata/kafkajs")); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	return dir
}

// The stories of kafkajs users: each asserts what it reads; how it is stored
// is looked at here.
func TestKafkaJS(t *testing.T) {
	dir := kafkaJS(t)
	p := start(t, t.TempDir(), "0")
	for _, story := range []struct {
		name   string
		stored func(*kgo.Record) bool // of the first record
	}{
		{"plain", func(r *kgo.Record) bool { return r.Attrs.CompressionType() == 0 && r.ProducerID == -1 }},
		{"gzip", func(r *kgo.Record) bool { return r.Attrs.CompressionType() == 1 }},
		{"group", func(r *kgo.Record) bool { return r.ProducerID == -1 }},
		{"idempotent", func(r *kgo.Record) bool { return r.ProducerID >= 0 && !r.Attrs.IsTransactional() }},
		{"transaction", func(r *kgo.Record) bool { return r.ProducerID >= 0 && r.Attrs.IsTransactional() }},
	} {
		t.Run(story.name, func(t *testing.T) {
			p.t = t
			node := exec.CommandContext(t.Context(), "node", "smoke.js", p.Kafka, story.name)
			node.Dir = dir
			if out, err := node.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if r := p.first("kafkajs-" + story.name); !story.stored(r) {
				t.Errorf("stored with producer %d and attributes %+v", r.ProducerID, r.Attrs)
			}
		})
	}
}

// first is the first record of a topic that has one partition, or of the
// partition that answers first.
func (p *process) first(topic string) *kgo.Record {
	p.t.Helper()
	client := p.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	records := client.PollRecords(p.t.Context(), 1).Records()
	if len(records) == 0 {
		p.t.Fatalf("nothing in %s", topic)
	}
	return records[0]
}
