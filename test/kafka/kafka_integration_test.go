//go:build integration

package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The fixture itself: a record comes back from a real Apache Kafka.
func TestStart(t *testing.T) {
	b := Start(t)
	client, err := b.Cluster().Client(kgo.ConsumeTopics("t"), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("hello")).FirstErr(); err == nil {
		t.Fatal("a record without topic was accepted")
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("hello")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	fetches := client.PollFetches(t.Context())
	if got := string(fetches.Records()[0].Value); got != "hello" {
		t.Fatalf("read %q back", got)
	}
}
