package metadata

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// entry applies records as one entry and fails the test where they don't fit.
func entry(t testing.TB, i *Image, records ...Record) (*Delta, *Image) {
	t.Helper()
	d := i.Edit(i.Index()+1, 1)
	for _, r := range records {
		if err := d.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	return d, d.Finish()
}

func lone(leader int32) Partition {
	return Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: leader, LastKnownLeader: NoLeader}
}

func small(t testing.TB) *Image {
	_, i := entry(t, &Image{},
		&ClusterID{"c"},
		&Feature{"group.version", 1},
		&RegisterBroker{Broker: 2, Fenced: true}, &RegisterBroker{Broker: 1, Rack: "a"},
		&BrokerChange{Broker: 1, Epoch: 1, ShuttingDown: Set},
		&NewTopic{"a.b", UUID{1}}, &NewPartition{UUID{1}, 0, lone(1)}, &NewPartition{UUID{1}, 1, lone(1)},
		&NewTopic{"c", UUID{2}}, &NewPartition{UUID{2}, 0, lone(1)},
		&ConfigChange{Resource{TopicResource, "a.b"}, "retention.ms", new("1")},
		&ConfigChange{Resource{BrokerResource, ""}, "log.retention.ms", new("2")},
		&ProducerIDs{Broker: 1, Next: 1000},
		&QuotaChange{QuotaEntity{ClientID: EntityName{Named, "c"}}, "producer_byte_rate", new(1024.0)},
		&QuotaChange{QuotaEntity{ClientID: EntityName{Kind: Defaults}}, "consumer_byte_rate", new(2048.0)},
		&ScramChange{ScramUser{"u", ScramSHA256}, &ScramCredential{[]byte("salt"), []byte("stored"), []byte("server"), 4096}},
	)
	return i
}

// A reader holds an image while the next ones are made: nothing in it moves.
func TestImagesDoNotChange(t *testing.T) {
	before := small(t)
	was := dump(before)
	_, after := entry(t, before,
		&PartitionChange{Topic: UUID{1}, Index: 1, Leader: new(NoLeader), ISR: []int32{}},
		&NewPartition{UUID{2}, 1, lone(1)},
		&RemoveTopic{UUID{2}},
		&ConfigChange{Resource{TopicResource, "a.b"}, "retention.ms", nil},
		&BrokerChange{Broker: 2, Epoch: 1, Fenced: Clear},
		&UnregisterBroker{Broker: 1, Epoch: 1},
		&QuotaChange{QuotaEntity{ClientID: EntityName{Named, "c"}}, "producer_byte_rate", nil},
		&ScramChange{ScramUser{"u", ScramSHA256}, nil},
	)
	if diff := cmp.Diff(was, dump(before), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the older image changed:\n%s", diff)
	}
	if after.TopicCount() != 1 || after.PartitionCount() != 2 || !after.Live(2) || after.Live(1) {
		t.Errorf("topics %d, partitions %d, live(2) %v", after.TopicCount(), after.PartitionCount(), after.Live(2))
	}
	if _, taken := after.Colliding("c"); taken {
		t.Error("the name of a removed topic is not free")
	}
	p, _ := after.Partition("a.b", 1)
	if p.LeaderEpoch != 1 || p.PartitionEpoch != 1 || p.Leader != NoLeader {
		t.Errorf("after a change of leader: %+v", p)
	}
}

func dump(i *Image) []Record { return slices.Collect(i.Records()) }

// The records of an image make the same image: this is what a snapshot is.
func TestRecordsMakeTheImageAgain(t *testing.T) {
	want := small(t)
	d := (&Image{}).Edit(want.Index(), want.Epoch())
	for r := range want.Records() {
		if err := d.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	got := d.Finish()
	if diff := cmp.Diff(dump(want), dump(got), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if b, _ := got.Broker(1); b.Epoch != 1 || !b.ShuttingDown {
		t.Errorf("broker 1 came back as %+v", b)
	}
}

func TestDeltaSaysWhatChanged(t *testing.T) {
	d, _ := entry(t, small(t),
		&NewTopic{"new", UUID{3}}, &NewPartition{UUID{3}, 0, lone(1)},
		&PartitionChange{Topic: UUID{1}, Index: 1},
		&RemoveTopic{UUID{2}},
		&NewTopic{"short", UUID{9}}, &RemoveTopic{UUID{9}},
		&BrokerChange{Broker: 2, Epoch: 1, Fenced: Clear},
		&ConfigChange{Resource{GroupResource, "g"}, "x", new("1")},
	)
	var got []string
	for _, c := range d.Topics() {
		got = append(got, fmt.Sprintf("%s created=%v %v", c.Topic.Name, c.Created, c.Partitions))
	}
	for _, r := range d.Removed() {
		got = append(got, "removed "+r.Name)
	}
	got = append(got, fmt.Sprint(d.Brokers(), d.Configs(), d.ProducerIDs()))
	want := []string{
		"a.b created=false [1]", "new created=true [0]", "removed c", "[2] [{32 g}] false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A record that does not fit is an error, not a guess.
func TestApplyRefusesWhatDoesNotFit(t *testing.T) {
	for _, r := range []Record{
		&ClusterID{"other"},
		&BrokerChange{Broker: 1, Epoch: 77},
		&UnregisterBroker{Broker: 5},
		&NewTopic{"a_b", UUID{7}},
		&NewTopic{"d", UUID{1}},
		&RemoveTopic{UUID{7}},
		&NewPartition{Topic: UUID{7}},
		&NewPartition{Topic: UUID{1}, Index: 5},
		&PartitionChange{Topic: UUID{1}, Index: 5},
		&PartitionChange{Topic: UUID{7}},
		&ConfigChange{Resource{TopicResource, "none"}, "x", nil},
		&ProducerIDs{Next: 1000},
	} {
		if err := small(t).Edit(9, 1).Apply(r); !errors.Is(err, ErrMismatch) {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}

func TestPublisherOrder(t *testing.T) {
	var p Publisher
	var seen []string
	p.Subscribe(func(_ *Delta, i *Image) {
		seen = append(seen, fmt.Sprint("first ", i.Index(), " readers see ", p.Image().Index()))
	})
	p.Subscribe(func(_ *Delta, i *Image) { seen = append(seen, fmt.Sprint("second ", i.Index())) })
	p.Publish(entry(t, p.Image(), &NoOp{}))
	want := []string{"first 1 readers see 0", "second 1"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if p.Image().Index() != 1 {
		t.Error("readers do not see the published image")
	}
}

func TestUUIDText(t *testing.T) {
	id := UUID{0xff, 0xef, 1}
	if got, err := ParseUUID(id.String()); err != nil || got != id || len(id.String()) != 22 {
		t.Errorf("%s came back as %v, %v", id, got, err)
	}
	if _, err := ParseUUID("short"); err == nil {
		t.Error("parsed a text that is no uuid")
	}
}

// One change among 10,000 partitions must not cost 10,000 of anything.
func BenchmarkChangeOneOf10000Partitions(b *testing.B) {
	var records []Record
	for topic := range 1000 {
		id := UUID{byte(topic >> 8), byte(topic)}
		records = append(records, &NewTopic{fmt.Sprintf("topic-%d", topic), id})
		for p := range 10 {
			records = append(records, &NewPartition{id, int32(p), lone(1)})
		}
	}
	_, i := entry(b, &Image{}, records...)
	change := &PartitionChange{Topic: UUID{1, 1}, Index: 3, Leader: new(int32(1))}
	b.ReportAllocs()
	for b.Loop() {
		entry(b, i, change)
	}
}
