package group

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/wire"
)

func TestRecordsComeBack(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	for _, rec := range []Record{
		&OffsetRecord{Group: "g", Topic: "t", Partition: 7},
		&OffsetRecord{Group: "g", Topic: "t", Partition: 7, Offset: &Offset{At: 5, LeaderEpoch: 3, Metadata: "m", Committed: at}},
		&OffsetRecord{Group: "g", Topic: "t", Partition: 7, Offset: &Offset{At: 5, LeaderEpoch: -1, Committed: at, Expires: at.Add(time.Hour)}},
		&MetadataRecord{Group: "g"},
		&MetadataRecord{Group: "g", Metadata: &Metadata{ProtocolType: "consumer", Generation: 3, Since: at}},
		&MetadataRecord{Group: "g", Metadata: &Metadata{
			ProtocolType: "connect", Generation: 3, Protocol: "sessioned", Leader: "a", Since: at,
			Members: []RecordedMember{
				{ID: "a", Instance: "i", Client: Client{ID: "c", Host: "/h"}, SessionTimeout: time.Second, RebalanceTimeout: time.Minute, Subscription: []byte{1}, Assignment: []byte{2}},
				{ID: "b", SessionTimeout: time.Second, RebalanceTimeout: time.Second, Subscription: []byte{}, Assignment: []byte{}},
			},
		}},
	} {
		key, value := rec.Encode()
		back, err := Decode(key, value)
		if err != nil {
			t.Fatalf("%+v: %v", rec, err)
		}
		if diff := cmp.Diff(rec, back); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

// Records of other kinds of groups are told apart from broken ones: a loader
// passes over the first and reports the second.
func TestDecodeUnknown(t *testing.T) {
	for _, key := range [][]byte{nil, {0}, {0, 11}, {0, 9, 1, 2}, {0xff, 0xff}} {
		if _, err := Decode(key, nil); !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("key %x: %v, want ErrUnknownRecord", key, err)
		}
	}
	// A value of a version of the future is no fault of the log either.
	epoch, _ := (&EpochRecord{Group: "g"}).Encode()
	if _, err := Decode(epoch, []byte{0, 1, 0, 0, 0, 7, 0}); !errors.Is(err, ErrUnknownRecord) {
		t.Errorf("value of version 1: %v, want ErrUnknownRecord", err)
	}
	if _, err := Decode([]byte{0, 1, 0, 9}, nil); err == nil || errors.Is(err, ErrUnknownRecord) {
		t.Errorf("a key that is cut off: %v, want an error of its own", err)
	}
}

// Lag monitors read the topic with Kafka's schema.
func TestRecordIsKafkas(t *testing.T) {
	key, value := (&OffsetRecord{Group: "g", Topic: "t", Partition: 1, Offset: &Offset{At: 9, LeaderEpoch: 4, Metadata: "m", Committed: time.UnixMilli(77)}}).Encode()
	wantKey := []byte{0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 1}
	if diff := cmp.Diff(wantKey, key); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	wantValue := []byte{0, 3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0, 1, 'm', 0, 0, 0, 0, 0, 0, 0, 77}
	if diff := cmp.Diff(wantValue, value); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}

// flexibleValues are records whose values end with a count of no tagged fields.
func flexibleValues() map[string][2][]byte {
	offsetKey := kmsg.OffsetCommitKey{Version: 1, Group: "g", Topic: "t"}
	offset := kmsg.OffsetCommitValue{Version: 4, Offset: 5, LeaderEpoch: 3, Metadata: "m", CommitTimestamp: 77}
	groupKey := kmsg.GroupMetadataKey{Version: 2, Group: "g"}
	leader, instance := "a", "i"
	group := kmsg.GroupMetadataValue{Version: 4, ProtocolType: "consumer", Generation: 3, Leader: &leader, CurrentStateTimestamp: 77}
	group.Members = []kmsg.GroupMetadataValueMember{{
		MemberID: "a", InstanceID: &instance, ClientID: "c", ClientHost: "/h",
		RebalanceTimeoutMillis: 1000, SessionTimeoutMillis: 2000, Subscription: []byte{1}, Assignment: []byte{2},
	}}
	return map[string][2][]byte{
		"offset": {offsetKey.AppendTo(nil), offset.AppendTo(nil)},
		"group":  {groupKey.AppendTo(nil), group.AppendTo(nil)},
	}
}

// Newer versions of Kafka write values with tagged fields. A count that is
// corrupt must not keep the load busy: kmsg would loop four billion times.
func TestFlexibleValues(t *testing.T) {
	for name, kv := range flexibleValues() {
		rec, err := Decode(kv[0], kv[1])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch rec := rec.(type) {
		case *OffsetRecord:
			if rec.Offset.At != 5 || rec.Offset.LeaderEpoch != 3 || rec.Offset.Metadata != "m" {
				t.Errorf("read %+v", rec.Offset)
			}
		case *MetadataRecord:
			if m := rec.Metadata; m.Generation != 3 || m.Leader != "a" || len(m.Members) != 1 || m.Members[0].Client.Host != "/h" {
				t.Errorf("read %+v", m)
			}
		}
		value := append(slices.Clone(kv[1][:len(kv[1])-1]), 0xff, 0xff, 0xff, 0xff, 0x0f)
		if _, err := Decode(kv[0], value); !errors.Is(err, wire.ErrMalformedValue) {
			t.Errorf("%s with a count of tags that nothing follows: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, rec := range []Record{
		&OffsetRecord{Group: "g", Topic: "t", Partition: 7, Offset: &Offset{At: 5, Metadata: "m"}},
		&MetadataRecord{Group: "g", Metadata: &Metadata{ProtocolType: "consumer", Members: []RecordedMember{{ID: "a"}}}},
	} {
		key, value := rec.Encode()
		f.Add(key, value)
	}
	for _, rec := range consumerRecords() {
		key, value := rec.Encode()
		f.Add(key, value)
	}
	for _, kv := range flexibleValues() {
		f.Add(kv[0], kv[1])
		f.Add(kv[0], append(slices.Clone(kv[1][:len(kv[1])-1]), 0xff, 0xff, 0xff, 0xff, 0x0f))
	}
	opts := Options{}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		rec, err := Decode(key, value)
		if err != nil {
			return
		}
		New(rec.GroupID(), &opts).Apply(rec, time.UnixMilli(0))
		if _, err := Decode(rec.Encode()); err != nil {
			t.Fatalf("%+v does not decode again: %v", rec, err)
		}
	})
}
