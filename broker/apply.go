package broker

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/coordinator"
	"github.com/millrace-io/millrace/broker/internal/datadir"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/broker/internal/quota"
	"github.com/millrace-io/millrace/broker/internal/replica"
)

// The topics of the coordinators.
const (
	// offsetsTopic holds the offsets and members of consumer groups.
	offsetsTopic = "__consumer_offsets"
	// transactionsTopic holds the transactional ids.
	transactionsTopic = "__transaction_state"
)

// metadataTopic is the metadata log, which is opened by the quorum.
const metadataTopic = "__cluster_metadata"

// applier is where the control plane enters the data plane: it makes the
// replicas and coordinators of this broker what the metadata says.
//
// Nothing is opened while old entries are replayed: the first image in which
// this life of the broker is unfenced is applied as a whole, later ones by
// their deltas.
type applier struct {
	broker      int32
	incarnation metadata.UUID
	static      map[string]string
	replicas    *replica.Set
	coordinated []coordinated
	dir         *datadir.Dir
	quotas      *quota.Book
	logger      *slog.Logger

	live bool
}

// coordinated is a topic whose leaders coordinate something.
type coordinated struct {
	topic       string
	coordinator leadership
	// led holds the leader epoch of each partition whose shard is here.
	led map[int32]int32
}

// leadership is the part of a coordinator that apply.go turns.
type leadership interface {
	Lead(partition, count int32, log coordinator.Log)
	Resign(partition int32)
}

// apply is the metadata.Publisher's subscriber.
func (a *applier) apply(d *metadata.Delta, i *metadata.Image) {
	if !a.live {
		b, ok := i.Broker(a.broker)
		if !ok || b.Incarnation != a.incarnation || b.Fenced {
			return
		}
		a.live = true
		a.setAside(i)
		a.open(slices.Collect(i.Topics()), i)
		a.seatAll(i)
		a.limit(i)
		return
	}
	for _, t := range d.Removed() {
		a.remove(t)
	}
	for _, c := range d.Topics() {
		a.assign([]change{{c.Topic, c.Partitions}}, i)
	}
	a.configure(d.Configs(), i)
	a.seatAll(i)
	if d.Quotas() || len(d.Configs()) > 0 {
		a.limit(i)
	}
}

// limit hands quotas on, and the rate of new connections.
func (a *applier) limit(i *metadata.Image) {
	a.quotas.Update(i)
	rate := i.BrokerLayers(a.broker, a.static).ServerConfig().ConnectionRate
	a.quotas.AcceptRate(int64(unbounded(int(rate))))
}

// setAside renames directories of partitions that are not this broker's. They
// are never opened, and never deleted by themselves.
func (a *applier) setAside(i *metadata.Image) {
	names, err := a.dir.LogNames()
	if err != nil {
		a.logger.Error("the data directory cannot be listed", "err", err)
	}
	for _, name := range names {
		topic, index, _ := datadir.ParseLogName(name)
		if topic == metadataTopic {
			continue
		}
		if p, ok := i.Partition(topic, index); ok && slices.Contains(p.Replicas, a.broker) {
			continue
		}
		if _, err := a.dir.Stray(name); err != nil {
			a.logger.Error("a directory that is no partition's is left where it is", "name", name, "err", err)
		}
	}
}

// change is what concerns the replicas in one topic.
type change struct {
	topic      *metadata.Topic
	partitions []int32
}

func (a *applier) open(topics []*metadata.Topic, i *metadata.Image) {
	changes := make([]change, len(topics))
	for n, t := range topics {
		changes[n].topic = t
		for p := range t.Partitions {
			changes[n].partitions = append(changes[n].partitions, int32(p))
		}
	}
	a.assign(changes, i)
}

// assign opens the replicas that this broker holds and tells them who leads.
func (a *applier) assign(changes []change, i *metadata.Image) {
	var assignments []replica.Assignment
	for _, c := range changes {
		config := a.config(c.topic.Name, i)
		for _, index := range c.partitions {
			p := c.topic.Partitions[index]
			if !slices.Contains(p.Replicas, a.broker) {
				continue
			}
			assignments = append(assignments, replica.Assignment{
				Topic: c.topic.Name, TopicID: replica.TopicID(c.topic.ID), Partition: index, Config: config,
				Leadership: replica.Leadership{
					Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
					Replicas: p.Replicas, ISR: p.ISR,
				},
			})
		}
	}
	if err := a.replicas.Apply(assignments); err != nil {
		a.logger.Error("partitions are offline, the others are served", "err", err)
	}
}

func (a *applier) config(topic string, i *metadata.Image) replica.Config {
	return replica.ConfigOf(i.TopicLayers(topic, a.broker, a.static).TopicConfig())
}

func (a *applier) remove(t *metadata.Topic) {
	for _, c := range a.coordinated {
		if c.topic == t.Name {
			c.resignAll()
		}
	}
	if err := a.replicas.Delete(replica.TopicID(t.ID)); err != nil {
		a.logger.Error("logs of a deleted topic are left on the disk", "topic", t.Name, "err", err)
	}
}

// configure hands changed configs on. A broker's config may be the default of
// every topic's.
func (a *applier) configure(changed []metadata.Resource, i *metadata.Image) {
	for _, r := range changed {
		switch r.Type {
		case metadata.TopicResource:
			if t, ok := i.Topic(r.Name); ok {
				a.replicas.Configure(replica.TopicID(t.ID), a.config(t.Name, i))
			}
		case metadata.BrokerResource:
			for t := range i.Topics() {
				a.replicas.Configure(replica.TopicID(t.ID), a.config(t.Name, i))
			}
		case metadata.GroupResource: // read when a group needs it
		}
	}
}

// seatAll gives the coordinators the partitions of their topics that this
// broker leads, each under its leader epoch.
func (a *applier) seatAll(i *metadata.Image) {
	for _, c := range a.coordinated {
		if t, ok := i.Topic(c.topic); ok {
			a.seat(c, t)
		}
	}
}

func (a *applier) seat(c coordinated, t *metadata.Topic) {
	for n, p := range t.Partitions {
		index := int32(n)
		epoch, seated := c.led[index]
		switch {
		case p.Leader != a.broker && seated:
			c.coordinator.Resign(index)
			delete(c.led, index)
		case p.Leader == a.broker && (!seated || epoch != p.LeaderEpoch):
			log, ok := a.replicas.Partition(c.topic, index)
			if !ok {
				a.logger.Error("what a partition coordinates cannot be served", "err", fmt.Errorf("%s-%d is offline", c.topic, index))
				continue
			}
			c.coordinator.Lead(index, int32(len(t.Partitions)), shardLog{log, p.LeaderEpoch})
			c.led[index] = p.LeaderEpoch
		}
	}
}

func (c coordinated) resignAll() {
	for partition := range c.led {
		c.coordinator.Resign(partition)
		delete(c.led, partition)
	}
}
