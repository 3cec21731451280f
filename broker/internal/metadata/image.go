package metadata

import (
	"iter"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// Image is all metadata at one index of the log. It never changes, and
// neither does anything it returns: callers must not write to the slices and
// maps. The zero Image is the empty cluster before the first record.
type Image struct {
	index     uint64
	epoch     uint64
	clusterID string

	topics  tree[string, *Topic, byText]
	byID    tree[UUID, *Topic, byUUID]
	folded  tree[string, string, byText] // fold(name) → name
	configs tree[Resource, map[string]string, byResource]
	quotas  tree[QuotaEntity, map[string]float64, byEntity]
	scram   tree[ScramUser, *ScramCredential, byScramUser]
	brokers []*Broker // by id

	features       map[string]int16
	nextProducerID int64
	partitions     int
}

// Topic is a topic and its partitions; Partitions[i] has index i.
type Topic struct {
	Name       string
	ID         UUID
	Partitions []*Partition
}

// Partition is the state of one partition as the controller decided it.
type Partition struct {
	Replicas []int32
	// ISR and ELR (KIP-966) are subsets of Replicas and disjoint. An empty
	// ISR has an ELR or a LastKnownLeader, or the partition could never lead
	// again.
	ISR             []int32
	ELR             []int32
	Adding          []int32
	Removing        []int32
	Leader          int32 // NoLeader where there is none
	LastKnownLeader int32 // the leader before an empty ISR; else NoLeader
	LeaderEpoch     int32
	PartitionEpoch  int32
	// Recovering is set after an unclean election until the leader has
	// reported itself recovered; its ISR is then itself alone.
	Recovering bool
}

// NoLeader stands for a partition without a leader.
const NoLeader int32 = -1

// Broker is a registration (KIP-631).
type Broker struct {
	ID          int32
	Incarnation UUID  // one life of the process
	Epoch       int64 // index of the entry that registered it
	Listeners   []Listener
	Rack        string
	Directories []UUID
	// Fenced brokers lead nothing and are in no ISR.
	Fenced bool
	// ShuttingDown brokers are handed nothing new.
	ShuttingDown bool
}

// Listener is an address at which a broker is reached.
type Listener struct {
	Name string
	Host string
	Port uint16
}

// Resource is what configs belong to.
type Resource struct {
	Type ResourceType
	Name string // topic or group; a broker's id in decimal, "" for all brokers
}

// ResourceType is the kind of a resource. The numbers are those of the wire.
type ResourceType int8

// The kinds of resources that hold configs.
const (
	TopicResource  ResourceType = 2
	BrokerResource ResourceType = 4
	GroupResource  ResourceType = 32
)

// Index is the index of the last entry in the image.
func (i *Image) Index() uint64 { return i.index }

// Epoch is the controller epoch (the raft term) of the last entry.
func (i *Image) Epoch() uint64 { return i.epoch }

// ClusterID is the id that the first leader drew; "" before that.
func (i *Image) ClusterID() string { return i.clusterID }

// Topic finds a topic by name.
func (i *Image) Topic(name string) (*Topic, bool) { return i.topics.find(name) }

// TopicByID finds a topic by id.
func (i *Image) TopicByID(id UUID) (*Topic, bool) { return i.byID.find(id) }

// Topics iterates over all topics by name.
func (i *Image) Topics() iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		for _, t := range i.topics.all() {
			if !yield(t) {
				return
			}
		}
	}
}

// TopicCount is the number of topics.
func (i *Image) TopicCount() int { return i.topics.n }

// PartitionCount is the number of partitions of all topics.
func (i *Image) PartitionCount() int { return i.partitions }

// Partition finds a partition by the name of its topic.
func (i *Image) Partition(topic string, index int32) (*Partition, bool) {
	t, ok := i.topics.find(topic)
	if !ok {
		return nil, false
	}
	return t.Partition(index)
}

// Partition finds a partition of the topic.
func (t *Topic) Partition(index int32) (*Partition, bool) {
	if index < 0 || int(index) >= len(t.Partitions) {
		return nil, false
	}
	return t.Partitions[index], true
}

// Colliding returns the topic that has this name but for dots and
// underscores, which metric names cannot tell apart; it may be the name
// itself.
func (i *Image) Colliding(name string) (string, bool) { return i.folded.find(fold(name)) }

func fold(name string) string { return strings.ReplaceAll(name, ".", "_") }

// Broker finds a registration.
func (i *Image) Broker(id int32) (*Broker, bool) {
	at, ok := slices.BinarySearchFunc(i.brokers, id, func(b *Broker, id int32) int { return int(b.ID) - int(id) })
	if !ok {
		return nil, false
	}
	return i.brokers[at], true
}

// Brokers lists all registrations by id.
func (i *Image) Brokers() []*Broker { return i.brokers }

// Live reports whether a broker is registered and not fenced.
func (i *Image) Live(id int32) bool {
	b, ok := i.Broker(id)
	return ok && !b.Fenced
}

// Config holds the dynamic configs of a resource; nil where none is set.
func (i *Image) Config(r Resource) map[string]string {
	c, _ := i.configs.find(r)
	return c
}

// ConfiguredResources iterates over what has configs set.
func (i *Image) ConfiguredResources() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for r := range i.configs.all() {
			if !yield(r) {
				return
			}
		}
	}
}

// TopicLayers gathers what rules a topic's configs on one broker: its own,
// the broker's, the cluster's, and what the broker was started with.
func (i *Image) TopicLayers(topic string, broker int32, static map[string]string) kafkaconf.Layers {
	l := i.BrokerLayers(broker, static)
	l.Topic = i.Config(Resource{TopicResource, topic})
	if p, ok := i.Partition(topic, 0); ok {
		l.Replicas = len(p.Replicas)
	}
	return l
}

// BrokerLayers gathers what rules a broker's configs.
func (i *Image) BrokerLayers(broker int32, static map[string]string) kafkaconf.Layers {
	return kafkaconf.Layers{
		Broker:  i.Config(BrokerOf(broker)),
		Cluster: i.Config(Resource{BrokerResource, ""}),
		Static:  static,
	}
}

// Feature is a finalized feature level; 0 where it is not set.
func (i *Image) Feature(name string) int16 { return i.features[name] }

// Features holds the finalized feature levels.
func (i *Image) Features() map[string]int16 { return i.features }

// NextProducerID is the first producer id that no block holds yet.
func (i *Image) NextProducerID() int64 { return i.nextProducerID }
