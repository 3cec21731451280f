package txn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/turn"
	"github.com/millrace-io/millrace/broker/internal/wire"
)

// ErrUnknownRecord is returned by Decode for keys and values of versions that
// are newer than this code.
var ErrUnknownRecord = errors.New("unknown kind of record")

// The versions that are written. Kafka reads the value since 3.5.
const (
	keyVersion   = 0
	valueVersion = 1
)

// From firstFlexibleValue on, values have tagged fields, whose number kmsg
// believes; so their shape, as package wire has it, is checked first.
const (
	firstFlexibleValue = 1
	valueShape         = "8 2 4 1 [ s [ 4 ] ~ ] 8 8 ~"
)

// none stands for a producer id, an epoch or a time that there is not.
const none = -1

// A Record is one record of __transaction_state: all there is to know of a
// transactional id.
type Record struct {
	ID       string
	Metadata *Metadata // nil deletes the id
}

// Metadata is what the log knows of a transactional id.
type Metadata struct {
	Producer turn.Producer
	// Previous is the producer id before Producer.ID, -1 for none.
	Previous int64
	// Next is the producer id that is handed out with the end under way,
	// since the epochs of Producer.ID are used up; -1 for none.
	Next       int64
	Timeout    time.Duration
	Phase      Phase
	Partitions []Partition // in order
	Started    time.Time   // zero outside a transaction
	Updated    time.Time
	// Version is the version of transactions that the client speaks: 2 for
	// KIP-890, else 0.
	Version int16
}

// A Partition is a partition of a topic.
type Partition struct {
	Topic string
	Index int32
}

func (p Partition) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Index) }

func comparePartitions(a, b Partition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Index) - int(b.Index)
}

// Encode implements turn.Record.
func (r *Record) Encode() (key, value []byte) {
	k := kmsg.TxnMetadataKey{Version: keyVersion, TransactionalID: r.ID}
	key = k.AppendTo(nil)
	if r.Metadata == nil {
		return key, nil
	}
	m := r.Metadata
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch = m.Producer.ID, m.Producer.Epoch
	v.PreviousProducerID, v.NextProducerID = m.Previous, m.Next
	v.TimeoutMillis = int32(m.Timeout / time.Millisecond)
	v.State = kmsg.TransactionState(m.Phase)
	v.Topics = topics(m.Partitions)
	if v.Topics == nil && m.Phase != Empty { // Kafka has null for Empty alone
		v.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	v.LastUpdateTimestamp, v.StartTimestamp = m.Updated.UnixMilli(), none
	if !m.Started.IsZero() {
		v.StartTimestamp = m.Started.UnixMilli()
	}
	v.ClientTransactionVersion = m.Version
	return key, v.AppendTo(nil)
}

// topics groups partitions, which are in order, by topic.
func topics(partitions []Partition) []kmsg.TxnMetadataValueTopic {
	var list []kmsg.TxnMetadataValueTopic
	for _, p := range partitions {
		if len(list) == 0 || list[len(list)-1].Topic != p.Topic {
			list = append(list, kmsg.TxnMetadataValueTopic{Topic: p.Topic})
		}
		last := &list[len(list)-1]
		last.Partitions = append(last.Partitions, p.Index)
	}
	return list
}

// Decode reads a record of __transaction_state. It keeps nothing of its input.
func Decode(key, value []byte) (*Record, error) {
	if v, ok := version(key); !ok || v != keyVersion {
		return nil, fmt.Errorf("key of %d bytes, version %d: %w", len(key), v, ErrUnknownRecord)
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("key of a transactional id: %w", err)
	}
	rec := &Record{ID: k.TransactionalID}
	if value == nil {
		return rec, nil
	}
	written, ok := version(value)
	if !ok || written > valueVersion {
		return nil, fmt.Errorf("transactional id %s, value version %d: %w", rec.ID, written, ErrUnknownRecord)
	}
	if written >= firstFlexibleValue {
		if err := wire.CheckValue(valueShape, written, value[2:]); err != nil {
			return nil, fmt.Errorf("transactional id %s: %w", rec.ID, err)
		}
	}
	v := kmsg.NewTxnMetadataValue()
	if err := v.ReadFrom(value); err != nil {
		return nil, fmt.Errorf("transactional id %s: %w", rec.ID, err)
	}
	if v.State < kmsg.TransactionState(Empty) || v.State > kmsg.TransactionState(PrepareEpochFence) {
		return nil, fmt.Errorf("transactional id %s: no state has the number %d", rec.ID, int8(v.State))
	}
	rec.Metadata = decodeValue(&v)
	return rec, nil
}

func version(b []byte) (int16, bool) {
	if len(b) < 2 {
		return none, false
	}
	return int16(b[0])<<8 | int16(b[1]), true
}

func decodeValue(v *kmsg.TxnMetadataValue) *Metadata {
	m := &Metadata{
		Producer: turn.Producer{ID: v.ProducerID, Epoch: v.ProducerEpoch},
		Previous: v.PreviousProducerID, Next: v.NextProducerID,
		Timeout: time.Duration(v.TimeoutMillis) * time.Millisecond,
		Phase:   Phase(v.State), Updated: time.UnixMilli(v.LastUpdateTimestamp),
		Version: v.ClientTransactionVersion,
	}
	if v.StartTimestamp >= 0 {
		m.Started = time.UnixMilli(v.StartTimestamp)
	}
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			m.Partitions = append(m.Partitions, Partition{t.Topic, p})
		}
	}
	slices.SortFunc(m.Partitions, comparePartitions)
	return m
}
