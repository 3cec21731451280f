package group

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
