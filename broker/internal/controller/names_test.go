package controller

import (
	"errors"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
)

// W16: names that no topic can have.
func TestW16TopicNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", strings.Repeat("x", 250), "a/b", "a b", "a\x00b", "ä", "\xff", "a\\b", "*"} {
		if err := CheckTopicName(name); err == nil || !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("%q: %v, want INVALID_TOPIC_EXCEPTION", name, err)
		}
	}
	for _, name := range []string{"a", "...", "a.b", "A-9_z", strings.Repeat("x", 249), "__consumer_offsets"} {
		if err := CheckTopicName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// W16: a name that differs from a topic's only in dots and underscores.
func TestW16CollidingNames(t *testing.T) {
	s := lone(t)
	_, results := s.CreateTopics([]NewTopic{
		{Name: "a.b", Partitions: 1, Replicas: 1}, {Name: "a_b", Partitions: 1, Replicas: 1},
	}, false)
	if results[0].Err != nil || !errors.Is(results[1].Err, kerr.InvalidTopicException) {
		t.Errorf("a.b: %v, a_b: %v", results[0].Err, results[1].Err)
	}
}

// lone is the state of a cluster of one live broker.
func lone(t testing.TB) State {
	ids := byte(0)
	s := State{Image: &metadata.Image{}, Rules: Rules{NewID: func() metadata.UUID {
		ids++
		return metadata.UUID{ids}
	}}}
	records, epoch, err := s.RegisterBroker(Registration{Broker: 1, Incarnation: metadata.UUID{1}})
	if err != nil {
		t.Fatal(err)
	}
	s.Image = apply(t, s.Image, records)
	if records, err = s.UnfenceBroker(1, epoch); err != nil {
		t.Fatal(err)
	}
	s.Image = apply(t, s.Image, records)
	return s
}

type fataler interface{ Fatal(...any) }

func apply(t fataler, i *metadata.Image, records []metadata.Record) *metadata.Image {
	d := i.Edit(i.Index()+1, 1)
	for _, r := range records {
		if err := d.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	return d.Finish()
}
