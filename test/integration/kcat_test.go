//go:build integration

package integration

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func kcat(t *testing.T, in string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "kcat", args...)
	cmd.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String()
}

func lines(n int, pad string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d:v%d%s\n", i, i, pad)
	}
	return b.String()
}

var codecs = []struct {
	name string
	kgo  kgo.CompressionCodec
	code uint8
}{
	{"none", kgo.NoCompression(), 0}, {"gzip", kgo.GzipCompression(), 1}, {"snappy", kgo.SnappyCompression(), 2},
	{"lz4", kgo.Lz4Compression(), 3}, {"zstd", kgo.ZstdCompression(), 4},
}

// kcat 1.7.1 (librdkafka) writes with each codec; what it reads back is what
// it wrote, and the stored batch has the codec: librdkafka 2.0.2 silently
// stops compressing when a broker advertises Produce from above version 0.
func TestKcat(t *testing.T) {
	p := start(t, t.TempDir(), "0")
	input := lines(500, strings.Repeat("x", 100))
	for _, codec := range codecs {
		t.Run(codec.name, func(t *testing.T) {
			topic := "kcat-" + codec.name
			p.t = t
			kcat(t, input, "-P", "-b", p.Kafka, "-t", topic, "-p", "0", "-K", ":", "-z", codec.name, "-X", "acks=all")
			got := kcat(t, "", "-C", "-b", p.Kafka, "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-K", ":")
			if got != input {
				t.Errorf("read back %d bytes of %d", len(got), len(input))
			}
			if got := p.first(topic).Attrs.CompressionType(); got != codec.code {
				t.Errorf("the batch is stored with codec %d, want %d", got, codec.code)
			}
		})
	}
}

// An idempotent kcat is one producer to the broker: it has an id, and its
// batches are numbered.
func TestKcatIdempotent(t *testing.T) {
	p := start(t, t.TempDir(), "0")
	input := lines(500, "")
	kcat(t, input, "-P", "-b", p.Kafka, "-t", "i", "-p", "0", "-K", ":", "-X", "enable.idempotence=true", "-X", "batch.num.messages=50")
	if got := kcat(t, "", "-C", "-b", p.Kafka, "-t", "i", "-p", "0", "-o", "beginning", "-e", "-q", "-K", ":"); got != input {
		t.Errorf("read back %d bytes of %d", len(got), len(input))
	}
	if r := p.first("i"); r.ProducerID < 0 || r.ProducerEpoch != 0 {
		t.Errorf("stored with producer %d, epoch %d", r.ProducerID, r.ProducerEpoch)
	}
}

// With a transactional id kcat writes all of its input in one transaction,
// which read_committed sees as a whole.
func TestKcatTransaction(t *testing.T) {
	p := start(t, t.TempDir(), "0")
	input := lines(500, "")
	kcat(t, input, "-P", "-b", p.Kafka, "-t", "x", "-p", "0", "-K", ":", "-X", "transactional.id=kcat")
	got := kcat(t, "", "-C", "-b", p.Kafka, "-t", "x", "-p", "0", "-o", "beginning", "-e", "-q", "-K", ":", "-X", "isolation.level=read_committed")
	if got != input {
		t.Errorf("read back %d bytes of %d", len(got), len(input))
	}
	if r := p.first("x"); r.ProducerID < 0 || !r.Attrs.IsTransactional() {
		t.Errorf("stored with producer %d, transactional %v", r.ProducerID, r.Attrs.IsTransactional())
	}
}

// A group of kcat commits, and a second run of it reads nothing again.
func TestKcatGroup(t *testing.T) {
	p := start(t, t.TempDir(), "0")
	input := lines(300, "")
	kcat(t, input, "-P", "-b", p.Kafka, "-t", "g", "-K", ":")
	first := kcat(t, "", "-b", p.Kafka, "-G", "readers", "-e", "-q", "-X", "auto.offset.reset=earliest", "-K", ":", "g")
	got, want := strings.Split(first, "\n"), strings.Split(input, "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the group read %d lines of %d", len(got), len(want))
	}
	if again := kcat(t, "", "-b", p.Kafka, "-G", "readers", "-e", "-q", "-X", "auto.offset.reset=earliest", "g"); again != "" {
		t.Errorf("the second run read again: %q", again)
	}
}

// franz-go with each codec and a group, over TCP to the real process.
func TestFranzGo(t *testing.T) {
	p := start(t, t.TempDir(), "0")
	admin := kadm.NewClient(p.client())
	for _, codec := range codecs {
		topic := "kgo-" + codec.name
		if _, err := admin.CreateTopic(t.Context(), 3, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
		producer := p.client(kgo.ProducerBatchCompression(codec.kgo), kgo.DefaultProduceTopic(topic))
		want := map[string]bool{}
		var records []*kgo.Record
		for i := range 1000 {
			value := fmt.Sprintf("%d %s", i, strings.Repeat("y", 100))
			want[value] = true
			records = append(records, kgo.KeyStringRecord(fmt.Sprint(i), value))
		}
		if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		group := p.client(kgo.ConsumerGroup("group-"+codec.name), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		for len(want) > 0 {
			fetches := group.PollFetches(t.Context())
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if r.Attrs.CompressionType() != codec.code {
					t.Errorf("%s: stored with codec %d", codec.name, r.Attrs.CompressionType())
				}
				delete(want, string(r.Value))
			})
		}
		if err := group.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
