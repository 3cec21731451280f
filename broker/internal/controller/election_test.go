package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"pgregory.net/rapid"
)

// However brokers come, go, crash and come back, no partition is led by a
// broker that is not live or not in sync, none loses its last candidate
// (I10), and epochs only rise (I1, I12).
func TestElectionInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{Image: &metadata.Image{}, Rules: Rules{NewID: func() metadata.UUID { return metadata.UUID{1} }}}
		lives := byte(0)
		start := func(broker int32, clean bool) {
			lives++
			r := Registration{Broker: broker, Incarnation: metadata.UUID{lives}}
			if old, ok := s.Image.Broker(broker); ok && clean {
				r.CleanEpoch = old.Epoch
			}
			records, _, err := s.RegisterBroker(r)
			if err != nil {
				t.Fatal(err)
			}
			s.Image = apply(t, s.Image, records)
		}
		fence := func(broker int32, decide func(int32, int64) ([]metadata.Record, *Error)) {
			b, _ := s.Image.Broker(broker)
			records, err := decide(broker, b.Epoch)
			if err != nil {
				t.Fatal(err)
			}
			s.Image = apply(t, s.Image, records)
		}
		for id := range int32(3) {
			start(id, true)
			fence(id, s.UnfenceBroker)
		}
		durability, minISR := rapid.SampledFrom([]string{"fsync", "pagecache"}).Draw(t, "durability"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "min")
		records, results := s.CreateTopics([]NewTopic{{
			Name: "t", Partitions: 3, Replicas: int16(rapid.IntRange(1, 3).Draw(t, "replicas")),
			Configs: []Config{{"durability", &durability}, {"min.insync.replicas", &minISR}},
		}}, false)
		if results[0].Err != nil {
			t.Fatal(results[0].Err)
		}
		s.Image = apply(t, s.Image, records)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			before, _ := s.Image.Topic("t")
			broker := rapid.Int32Range(0, 2).Draw(t, "broker")
			switch rapid.SampledFrom([]string{"crash", "stop", "fence", "unfence"}).Draw(t, "step") {
			case "crash":
				start(broker, false)
			case "stop":
				start(broker, true)
			case "fence":
				fence(broker, s.FenceBroker)
			case "unfence":
				fence(broker, s.UnfenceBroker)
			}
			after, _ := s.Image.Topic("t")
			for i := range after.Partitions {
				if fault := violated(s.Image, before.Partitions[i], after.Partitions[i]); fault != "" {
					t.Fatalf("partition %d: %s\nbefore %+v\nafter  %+v", i, fault, before.Partitions[i], after.Partitions[i])
				}
			}
		}
	})
}

// violated names the invariant that a change of a partition broke.
func violated(i *metadata.Image, before, after *metadata.Partition) string {
	for _, id := range slices.Concat(after.ISR, after.ELR) {
		if !slices.Contains(after.Replicas, id) {
			return fmt.Sprint(id, " is no replica")
		}
	}
	for _, id := range after.ISR {
		if slices.Contains(after.ELR, id) {
			return fmt.Sprint(id, " is in ISR and ELR")
		}
		if !i.Live(id) {
			return fmt.Sprint(id, " is in the ISR and not live")
		}
	}
	switch {
	case after.Leader != metadata.NoLeader && !slices.Contains(after.ISR, after.Leader):
		return "the leader is not in sync"
	case after.Leader == metadata.NoLeader && len(after.ISR) > 0:
		return "there is a candidate and no leader"
	case len(after.ISR) == 0 && len(after.ELR) == 0 && after.LastKnownLeader == metadata.NoLeader:
		return "nobody can ever lead again"
	case after.LeaderEpoch < before.LeaderEpoch || after.PartitionEpoch < before.PartitionEpoch:
		return "an epoch fell"
	case after.Leader != before.Leader && after.LeaderEpoch == before.LeaderEpoch:
		return "two leaders in one epoch"
	}
	return ""
}

// A start of a node with many partitions raises every epoch twice.
func BenchmarkRestartWith1000Partitions(b *testing.B) {
	s := lone(b)
	ids := 0
	s.Rules.NewID = func() metadata.UUID {
		ids++
		return metadata.UUID{byte(ids), byte(ids >> 8)}
	}
	for n := range 200 {
		records, results := s.CreateTopics([]NewTopic{{Name: fmt.Sprint("t", n), Partitions: 5, Replicas: 1}}, false)
		if results[0].Err != nil {
			b.Fatal(results[0].Err)
		}
		s.Image = apply(b, s.Image, records)
	}
	lives := byte(1)
	for b.Loop() {
		lives++
		records, epoch, _ := s.RegisterBroker(Registration{Broker: 1, Incarnation: metadata.UUID{lives}})
		s.Image = apply(b, s.Image, records)
		records, _ = s.UnfenceBroker(1, epoch)
		s.Image = apply(b, s.Image, records)
	}
}
