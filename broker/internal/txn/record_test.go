package txn

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/turn"
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
