package metadata

import "strconv"

// Record is one fact. The kinds are the types of this file; each has a number
// and a version in the binary form (docs/format/metadata.md), which are never
// reused.
type Record interface {
	kind() kind
	// encode appends the body; decode reads it.
	encode(b []byte) []byte
	decode(d *decoder)
	// apply changes what the delta builds.
	apply(d *Delta) error
}

// kind is the number of a record's type.
type kind uint64

const (
	kindNoOp             kind = 0
	kindClusterID        kind = 1
	kindFeature          kind = 2
	kindRegisterBroker   kind = 3
	kindUnregisterBroker kind = 4
	kindBrokerChange     kind = 5
	kindTopic            kind = 6
	kindRemoveTopic      kind = 7
	kindPartition        kind = 8
	kindPartitionChange  kind = 9
	kindConfig           kind = 10
	kindProducerIDs      kind = 11
	kindQuotaChange      kind = 12
	kindScramChange      kind = 13
)

// NoOp changes nothing.
type NoOp struct{}

// ClusterID names the cluster. It is logged once, by the first leader.
type ClusterID struct{ ID string }

// Feature finalizes a feature level; 0 takes it away.
type Feature struct {
	Name  string
	Level int16
}

// RegisterBroker registers a life of a broker, or replaces the last one's.
type RegisterBroker struct {
	Broker int32
	// Epoch is 0 in the log, where the entry's index counts, and set in a
	// snapshot.
	Epoch       int64
	Incarnation UUID
	Listeners   []Listener
	Rack        string
	Directories []UUID
	Fenced      bool
	// PreviousEpoch is the broker epoch at the last clean shutdown, 0 where
	// there was none (KIP-966).
	PreviousEpoch int64
}

// UnregisterBroker forgets a broker for good.
type UnregisterBroker struct {
	Broker int32
	Epoch  int64
}

// BrokerChange changes a registration. Epoch fences changes meant for an
// earlier life.
type BrokerChange struct {
	Broker       int32
	Epoch        int64
	Fenced       Change
	ShuttingDown Change
}

// Change says what becomes of a flag.
type Change int8

// The changes of a flag.
const (
	Keep  Change = 0
	Set   Change = 1
	Clear Change = 2
)

func (c Change) of(old bool) bool {
	switch c {
	case Set:
		return true
	case Clear:
		return false
	case Keep:
	}
	return old
}

// NewTopic creates a topic. Its partitions follow in the same entry.
type NewTopic struct {
	Name string
	ID   UUID
}

// RemoveTopic deletes a topic, its partitions and its configs.
type RemoveTopic struct{ ID UUID }

// NewPartition creates the next partition of a topic.
type NewPartition struct {
	Topic UUID
	Index int32
	Partition
}

// PartitionChange changes a partition. Nil fields stay as they are; a list
// that is not nil replaces the old one, also where it is empty.
type PartitionChange struct {
	Topic           UUID
	Index           int32
	Leader          *int32 // setting it raises the leader epoch
	LastKnownLeader *int32
	ISR             []int32
	ELR             []int32
	Replicas        []int32
	Adding          []int32
	Removing        []int32
	Recovering      Change
}

// ConfigChange sets a config of a resource; a nil Value takes it away.
type ConfigChange struct {
	Resource Resource
	Name     string
	Value    *string
}

// ProducerIDs hands out the producer ids below Next (and from the last
// record's Next on) to a broker.
type ProducerIDs struct {
	Broker int32
	Next   int64
}

func (*NoOp) kind() kind             { return kindNoOp }
func (*ClusterID) kind() kind        { return kindClusterID }
func (*Feature) kind() kind          { return kindFeature }
func (*RegisterBroker) kind() kind   { return kindRegisterBroker }
func (*UnregisterBroker) kind() kind { return kindUnregisterBroker }
func (*BrokerChange) kind() kind     { return kindBrokerChange }
func (*NewTopic) kind() kind         { return kindTopic }
func (*RemoveTopic) kind() kind      { return kindRemoveTopic }
func (*NewPartition) kind() kind     { return kindPartition }
func (*PartitionChange) kind() kind  { return kindPartitionChange }
func (*ConfigChange) kind() kind     { return kindConfig }
func (*ProducerIDs) kind() kind      { return kindProducerIDs }

// blank makes the record of a kind, for decoding; nil for an unknown one.
func (k kind) blank() Record {
	switch k {
	case kindNoOp:
		return &NoOp{}
	case kindClusterID:
		return &ClusterID{}
	case kindFeature:
		return &Feature{}
	case kindRegisterBroker:
		return &RegisterBroker{}
	case kindUnregisterBroker:
		return &UnregisterBroker{}
	case kindBrokerChange:
		return &BrokerChange{}
	case kindTopic:
		return &NewTopic{}
	case kindRemoveTopic:
		return &RemoveTopic{}
	case kindPartition:
		return &NewPartition{}
	case kindPartitionChange:
		return &PartitionChange{}
	case kindConfig:
		return &ConfigChange{}
	case kindProducerIDs:
		return &ProducerIDs{}
	case kindQuotaChange:
		return &QuotaChange{}
	case kindScramChange:
		return &ScramChange{}
	}
	return nil
}

// BrokerOf is the resource that holds a broker's configs.
func BrokerOf(id int32) Resource {
	return Resource{BrokerResource, strconv.Itoa(int(id))}
}
