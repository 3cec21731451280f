package metadata

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// samples holds every kind, with every field set and with none.
func samples() []Record {
	full := Partition{
		Replicas: []int32{1, 2}, ISR: []int32{1}, ELR: []int32{2}, Adding: []int32{3}, Removing: []int32{1},
		Leader: 1, LastKnownLeader: NoLeader, LeaderEpoch: 7, PartitionEpoch: 9, Recovering: true,
	}
	return []Record{
		&NoOp{},
		&ClusterID{"c1"},
		&Feature{"metadata.version", -3},
		&RegisterBroker{
			Broker: 1, Epoch: 5, Incarnation: UUID{1}, Rack: "r", Directories: []UUID{{2}, {3}}, Fenced: true, PreviousEpoch: 4,
			Listeners: []Listener{{"clients", "host", 9092}, {"brokers", "host", 65535}},
		},
		&RegisterBroker{},
		&UnregisterBroker{Broker: 3, Epoch: 1 << 40},
		&BrokerChange{Broker: 1, Epoch: 5, Fenced: Clear, ShuttingDown: Set},
		&NewTopic{strings.Repeat("n", 249), UUID{4}}, // a body of more than 127 bytes
		&RemoveTopic{UUID{4}},
		&NewPartition{UUID{4}, 2, full},
		&NewPartition{},
		&PartitionChange{Topic: UUID{4}, Index: 1},
		&PartitionChange{
			Topic: UUID{4}, Index: 1, Leader: new(NoLeader), LastKnownLeader: new(int32(1)),
			ISR: []int32{}, ELR: []int32{1}, Replicas: []int32{1, 2}, Adding: []int32{2}, Removing: []int32{}, Recovering: Set,
		},
		&ConfigChange{Resource{TopicResource, "t"}, "retention.ms", new("1")},
		&ConfigChange{Resource{BrokerResource, ""}, "x", nil},
		&ProducerIDs{Broker: 1, Next: 2000},
		&QuotaChange{QuotaEntity{User: EntityName{Named, "u"}, ClientID: EntityName{Kind: Defaults}}, "producer_byte_rate", new(1.5)},
		&QuotaChange{QuotaEntity{IP: EntityName{Named, "10.0.0.7"}}, "connection_creation_rate", nil},
		&ScramChange{ScramUser{"u", ScramSHA512}, &ScramCredential{[]byte("salt"), []byte("stored"), []byte("server"), 4096}},
		&ScramChange{ScramUser{"u", ScramSHA256}, nil},
	}
}

func TestRecordsSurviveTheirBinaryForm(t *testing.T) {
	var log []byte
	for _, r := range samples() {
		log = Append(log, r)
	}
	for _, want := range samples() {
		got, rest, err := Next(log)
		if err != nil {
			t.Fatalf("%T: %v", want, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%T: %s", want, diff)
		}
		if change, ok := got.(*PartitionChange); ok && change.Leader != nil && change.ISR == nil {
			t.Error("an empty list that replaces the old one came back as a list that keeps it")
		}
		log = rest
	}
	if len(log) != 0 {
		t.Errorf("%d bytes left", len(log))
	}
}

func TestD18_NextRefuses(t *testing.T) {
	topic := Append(nil, &NewTopic{"t", UUID{1}})
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":        {nil, ErrMalformed},
		"unknown kind":   {[]byte{99, 0, 0}, ErrNewer},
		"newer version":  {append([]byte{topic[0], 1}, topic[2:]...), ErrNewer},
		"cut body":       {topic[:len(topic)-1], ErrMalformed},
		"body too long":  {[]byte{byte(kindNoOp), 0, 1, 0}, ErrMalformed},
		"list too long":  {[]byte{byte(kindRegisterBroker), 0, 5, 0, 0, 0xff, 0xff, 0x7f}, ErrMalformed},
		"endless varint": {bytes.Repeat([]byte{0xff}, 20), ErrMalformed},
	} {
		if _, _, err := Next(tc.in); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

// Whatever decodes encodes to a record that decodes to the same again.
func FuzzNext(f *testing.F) {
	for _, r := range samples() {
		f.Add(Append(nil, r))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, _, err := Next(in)
		if err != nil {
			return
		}
		again, rest, err := Next(Append(nil, r))
		if err != nil || len(rest) > 0 {
			t.Fatalf("%+v does not decode again: %v", r, err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatal(diff)
		}
		// Applying must refuse or work, never panic.
		_ = (&Image{}).Edit(1, 1).Apply(r)
	})
}

// The binary form is on disks: it must not change by itself. The bytes are
// those of docs/format/metadata.md.
func TestBinaryFormIsFixed(t *testing.T) {
	id := UUID{0xaa}
	zeros := strings.Repeat("00", 15)
	for want, r := range map[string]Record{
		"000000":                        &NoOp{},
		"010003026331":                  &ClusterID{"c1"},
		"0200" + "04" + "026776" + "02": &Feature{"gv", 1},
		"0300" + "2e" + "02" + "00" + "aa" + zeros + "01" + "0163" + "0168" + "2384" + "0172" + "01" + "aa" + zeros + "01" + "08": &RegisterBroker{Broker: 1, Incarnation: id, Listeners: []Listener{{"c", "h", 9092}}, Rack: "r", Directories: []UUID{id}, Fenced: true, PreviousEpoch: 4},
		"0400" + "02" + "02" + "0a":               &UnregisterBroker{1, 5},
		"0500" + "04" + "02" + "0a" + "02" + "01": &BrokerChange{1, 5, Clear, Set},
		"0600" + "12" + "0174" + "aa" + zeros:     &NewTopic{"t", id},
		"0700" + "10" + "aa" + zeros:              &RemoveTopic{id},
		"0800" + "1d" + "aa" + zeros + "04" + "0102" + "0102" + "00" + "00" + "00" + "02" + "01" + "06" + "08" + "00": &NewPartition{id, 2, Partition{Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, LastKnownLeader: NoLeader, LeaderEpoch: 3, PartitionEpoch: 4}},
		"0900" + "16" + "aa" + zeros + "04" + "22" + "00" + "0102" + "02":                                             &PartitionChange{Topic: id, Index: 2, ISR: []int32{1}, Leader: new(int32(1))},
		"0a00" + "08" + "02" + "0174" + "0163" + "01" + "0176":                                                        &ConfigChange{Resource{TopicResource, "t"}, "c", new("v")},
		"0b00" + "03" + "02" + "d00f":                                                    &ProducerIDs{1, 1000},
		"0d00" + "0c" + "0175" + "02" + "01" + "0161" + "0162" + "0163" + "8040":         &ScramChange{ScramUser{"u", ScramSHA512}, &ScramCredential{[]byte("a"), []byte("b"), []byte("c"), 4096}},
		"0c00" + "10" + "00" + "02" + "0163" + "01" + "016b" + "01" + "3ff8000000000000": &QuotaChange{QuotaEntity{ClientID: EntityName{Named, "c"}, IP: EntityName{Kind: Defaults}}, "k", new(1.5)},
	} {
		if got := hex.EncodeToString(Append(nil, r)); got != want {
			t.Errorf("%T:\n got %s\nwant %s", r, got, want)
		}
	}
}
