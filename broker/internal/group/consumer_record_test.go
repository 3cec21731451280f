package group

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// consumerRecords has one of each, whole and as a tombstone.
func consumerRecords() []Record {
	id := TopicID{1, 15: 2}
	return []Record{
		&EpochRecord{Group: "g", Epoch: &Epoch{At: 7}},
		&EpochRecord{Group: "g", Epoch: &Epoch{At: 7, Hash: 1 << 63}},
		&EpochRecord{Group: "g"},
		&LegacyRecord{Group: "g", Deleted: true},
		&MemberRecord{Group: "g", Member: "m", Info: &MemberInfo{
			Instance: "i", Rack: "r", Client: Client{ID: "c", Host: "/10.0.0.1"}, Topics: []string{"a", "b"},
			Pattern: "x.*", RebalanceTimeout: time.Minute, Assignor: "range",
			Classic: &ClassicInfo{SessionTimeout: time.Second, Protocols: []protocol{{name: "range", metadata: []byte{1, 2}}}},
		}},
		&MemberRecord{Group: "g", Member: "m", Info: &MemberInfo{}},
		&MemberRecord{Group: "g", Member: "m"},
		&TargetEpochRecord{Group: "g", Epoch: 7},
		&TargetEpochRecord{Group: "g", Epoch: noEpoch},
		&TargetRecord{Group: "g", Member: "m", Target: assignor.Assignment{id: {0, 5}}},
		&TargetRecord{Group: "g", Member: "m", Target: assignor.Assignment{}},
		&TargetRecord{Group: "g", Member: "m"},
		&CurrentRecord{Group: "g", Member: "m", Current: &Current{
			Epoch: 7, Previous: 6, State: Unrevoked, Assigned: Holding{id: {0: 3, 5: 7}}, Revoking: Holding{id: {1: 2}},
		}},
		&CurrentRecord{Group: "g", Member: "m"},
		&PatternRecord{Group: "g", Pattern: "x.*", Match: &Match{Topics: []string{"xa"}, Version: 9, At: time.UnixMilli(77)}},
		&PatternRecord{Group: "g", Pattern: "x.*"},
	}
}

func TestConsumerRecords(t *testing.T) {
	for _, rec := range consumerRecords() {
		key, value := rec.Encode()
		back, err := Decode(key, value)
		if err != nil {
			t.Fatalf("%+v: %v", rec, err)
		}
		if diff := cmp.Diff(rec, back, cmp.AllowUnexported(protocol{})); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
		if value == nil {
			continue
		}
		// What is cut off is an error, and not half of a record. The last
		// byte counts the tagged fields; what is missing in front of it too.
		for n := range value {
			if _, err := Decode(key, value[:n]); err == nil {
				t.Errorf("%T: %d of %d bytes decode", rec, n, len(value))
			}
		}
	}
}

// The bytes by Kafka's schemas: a Kafka that takes the log over reads them, and
// what it wrote is read here.
func TestConsumerRecordsAreKafkas(t *testing.T) {
	id := TopicID{0xaa, 15: 0xbb}
	uuid := append(append([]byte{0xaa}, make([]byte, 14)...), 0xbb)
	join := func(parts ...any) (b []byte) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				b = append(b, p...)
			case []byte:
				b = append(b, p...)
			case int:
				b = append(b, byte(p))
			}
		}
		return b
	}
	for _, c := range []struct {
		rec        Record
		key, value []byte
	}{
		{
			&EpochRecord{Group: "g", Epoch: &Epoch{At: 7, Hash: 9}},
			join(0, 3, 0, 1, "g"),
			join(0, 0, 0, 0, 0, 7, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9),
		},
		{
			&MemberRecord{Group: "g", Member: "m", Info: &MemberInfo{
				Client: Client{ID: "c", Host: "h"}, Topics: []string{"t"}, RebalanceTimeout: 5 * time.Millisecond,
				Classic: &ClassicInfo{SessionTimeout: 6 * time.Millisecond, Protocols: []protocol{{name: "p", metadata: []byte{8}}}},
			}},
			join(0, 5, 0, 1, "g", 0, 1, "m"),
			join(0, 0, 0, 0, 2, "c", 2, "h", 2, 2, "t", 0, 0, 0, 0, 5, 0, 1, 0, 12, 1, 0, 0, 0, 6, 2, 2, "p", 2, 8, 0, 0),
		},
		{&TargetEpochRecord{Group: "g", Epoch: 7}, join(0, 6, 0, 1, "g"), join(0, 0, 0, 0, 0, 7, 0)},
		{
			&TargetRecord{Group: "g", Member: "m", Target: assignor.Assignment{id: {3}}},
			join(0, 7, 0, 1, "g", 0, 1, "m"),
			join(0, 0, 2, uuid, 2, 0, 0, 0, 3, 0, 0),
		},
		{
			&CurrentRecord{Group: "g", Member: "m", Current: &Current{Epoch: 7, Previous: 6, State: Unreleased, Assigned: Holding{id: {3: 4}}, Revoking: Holding{}}},
			join(0, 8, 0, 1, "g", 0, 1, "m"),
			join(0, 0, 0, 0, 0, 7, 0, 0, 0, 6, 2, 2, uuid, 2, 0, 0, 0, 3, 1, 0, 5, 2, 0, 0, 0, 4, 1, 0),
		},
		{
			&PatternRecord{Group: "g", Pattern: "x", Match: &Match{Topics: []string{"t"}, Version: 1, At: time.UnixMilli(2)}},
			join(0, 16, 0, 1, "g", 0, 1, "x"),
			join(0, 0, 2, 2, "t", 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0),
		},
	} {
		key, value := c.rec.Encode()
		if diff := cmp.Diff(c.key, key); diff != "" {
			t.Errorf("%T key (-want +got):\n%s", c.rec, diff)
		}
		if diff := cmp.Diff(c.value, value); diff != "" {
			t.Errorf("%T value (-want +got):\n%s", c.rec, diff)
		}
	}
}

// Kafka before 4.3 wrote no epochs beside partitions, Kafka 4.0 partition
// metadata, and later versions may write tagged fields that nobody knows here.
func TestConsumerRecordsOfOthers(t *testing.T) {
	id := [16]byte{1}
	key, _ := (&CurrentRecord{Group: "g", Member: "m"}).Encode()
	value := append([]byte{0, 0, 0, 0, 0, 7, 0, 0, 0, 6, 0, 2}, id[:]...)
	value = append(value, 2, 0, 0, 0, 3, 0, 1, 0)
	back, err := Decode(key, value)
	want := &CurrentRecord{Group: "g", Member: "m", Current: &Current{Epoch: 7, Previous: 6, Assigned: Holding{id: {3: 7}}, Revoking: Holding{}}}
	if diff := cmp.Diff(Record(want), back); diff != "" || err != nil {
		t.Errorf("%v (-want +read):\n%s", err, diff)
	}

	key, value = (&EpochRecord{Group: "g", Epoch: &Epoch{At: 7}}).Encode()
	value = append(value[:len(value)-1], 1, 9, 3, 'n', 'e', 'w')
	if back, err = Decode(key, value); err != nil || back.(*EpochRecord).Epoch.At != 7 {
		t.Errorf("with a tagged field of the future: %v, %v", back, err)
	}

	s := New("g", &Options{})
	for _, kv := range [][2][]byte{{{0, 3, 0, 1, 'g'}, {0, 0, 0, 0, 0, 7, 0}}, {{0, 4, 0, 1, 'g'}, {0, 0, 1, 0}}} {
		rec, err := Decode(kv[0], kv[1])
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(rec, time.Time{})
	}
	turn := &Turn{}
	s.bump(turn, true, 0)
	if _, ok := turn.Records[0].(*LegacyRecord); !ok || s.consumer.epoch != 8 || s.consumer.legacy {
		t.Errorf("the first record of the next epoch is %T, want the old metadata's tombstone", turn.Records[0])
	}
}
