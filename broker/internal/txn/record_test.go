package txn

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

func TestRecordsComeBack(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	for _, m := range []*Metadata{
		nil,
		{Producer: turn.Producer{ID: 1}, Previous: none, Next: none, Timeout: time.Minute, Phase: Empty, Updated: at},
		{
			Producer: turn.Producer{ID: 1 << 40, Epoch: 7}, Previous: 3, Next: 4, Timeout: time.Millisecond, Phase: PrepareCommit,
			Partitions: []Partition{{"t", 0}, {"t", 5}, {"u", 1}}, Started: at, Updated: at.Add(time.Second), Version: 2,
		},
	} {
		rec := &Record{ID: "tx", Metadata: m}
		back, err := Decode(rec.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, back); diff != "" {
			t.Error(diff)
		}
	}
}

// Kafka before 3.5 wrote version 0, without tagged fields.
func TestOldRecordsAreRead(t *testing.T) {
	key := kmsg.TxnMetadataKey{TransactionalID: "tx"}
	v := kmsg.NewTxnMetadataValue()
	v.ProducerID, v.ProducerEpoch, v.State, v.StartTimestamp = 5, 1, kmsg.TransactionState(Ongoing), 1000
	v.Topics = []kmsg.TxnMetadataValueTopic{{Topic: "b", Partitions: []int32{2, 1}}, {Topic: "a", Partitions: []int32{0}}}
	rec, err := Decode(key.AppendTo(nil), v.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	m := rec.Metadata
	if want := []Partition{{"a", 0}, {"b", 1}, {"b", 2}}; !cmp.Equal(m.Partitions, want) {
		t.Errorf("partitions %v, want them in order", m.Partitions)
	}
	if m.Previous != none || m.Next != none || m.Phase != Ongoing || m.Started.UnixMilli() != 1000 {
		t.Errorf("got %+v", m)
	}
}

func TestForeignRecordsAreTold(t *testing.T) {
	key, value := (&Record{ID: "tx", Metadata: &Metadata{Updated: time.UnixMilli(0)}}).Encode()
	newer := append([]byte{0, 9}, value[2:]...)
	for name, kv := range map[string][2][]byte{
		"no key": {nil, value}, "another key": {{0, 1, 0, 0}, value}, "a newer value": {key, newer}, "no version": {key, {0}},
	} {
		if _, err := Decode(kv[0], kv[1]); !errors.Is(err, ErrUnknownRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, kv := range map[string][2][]byte{
		"a short key": {key[:3], value}, "a short value": {key, value[:5]},
		"a state that is none": {key, append(append([]byte{}, value[:16]...), append([]byte{9}, value[17:]...)...)},
	} {
		if _, err := Decode(kv[0], kv[1]); err == nil || errors.Is(err, ErrUnknownRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A count that is corrupt must not keep the load busy: kmsg would loop four
// billion times.
func TestCountsAreHeldAgainstTheBytes(t *testing.T) {
	key, value := (&Record{ID: "tx", Metadata: &Metadata{
		Previous: none, Next: none, Phase: Ongoing, Partitions: []Partition{{"t", 0}}, Updated: time.UnixMilli(0),
	}}).Encode()
	const topics = 2 + 8 + 2 + 4 + 1 // behind version, producer, epoch, timeout and state
	tags := topics + len("\x02\x02t\x02\x00\x00\x00\x00\x00") + 8 + 8
	for name, at := range map[string]int{"topics": topics, "tagged fields": tags} {
		if _, err := Decode(key, value); err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(key, append(slices.Clone(value[:at]), 0xff, 0xff, 0xff, 0xff, 0x0f)); !errors.Is(err, wire.ErrMalformedValue) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range []*Metadata{
		{Producer: turn.Producer{ID: 1}, Previous: none, Next: none, Timeout: time.Minute, Phase: Empty, Updated: time.UnixMilli(5)},
		{
			Producer: turn.Producer{ID: 1 << 40, Epoch: 7}, Previous: 3, Next: 4, Phase: PrepareCommit,
			Partitions: []Partition{{"t", 0}, {"t", 5}, {"u", 1}}, Started: time.UnixMilli(4), Updated: time.UnixMilli(5), Version: 2,
		},
	} {
		key, value := (&Record{ID: "tx", Metadata: m}).Encode()
		f.Add(key, value)
		f.Add(key, append(slices.Clone(value[:len(value)-1]), 0xff, 0xff, 0xff, 0xff, 0x0f))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		rec, err := Decode(key, value)
		if err != nil {
			return
		}
		if _, err := Decode(rec.Encode()); err != nil {
			t.Fatalf("%+v does not decode again: %v", rec, err)
		}
	})
}

func TestPhaseNames(t *testing.T) {
	for _, name := range kmsg.TransactionStateStrings() {
		p, ok := ParsePhase(name)
		if !ok || p.String() != name {
			t.Errorf("%s: %v %v", name, p, ok)
		}
	}
	if _, ok := ParsePhase("ongoing"); ok {
		t.Error("names are exact")
	}
}
