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

// offsetsTopic holds the offsets and members of consumer groups.
const offsetsTopic = "__consumer_offsets"

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
	groups      *coordinator.Groups
	dir         *datadir.Dir
	quotas      *quota.Book
	logger      *slog.Logger

	live bool
	// led holds the leader epoch of each partition of the offsets topic whose
	// shard is here.
	led map[int32]int32
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
		a.seat(i)
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
	a.seat(i)
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
	if t.Name == offsetsTopic {
		for partition := range a.led {
			a.groups.Resign(partition)
			delete(a.led, partition)
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

// seat gives the coordinator the partitions of the offsets topic that this
// broker leads, each under its leader epoch.
func (a *applier) seat(i *metadata.Image) {
	t, ok := i.Topic(offsetsTopic)
	if !ok {
		return
	}
	for n, p := range t.Partitions {
		index := int32(n)
		epoch, seated := a.led[index]
		switch {
		case p.Leader != a.broker && seated:
			a.groups.Resign(index)
			delete(a.led, index)
		case p.Leader == a.broker && (!seated || epoch != p.LeaderEpoch):
			log, ok := a.replicas.Partition(offsetsTopic, index)
			if !ok {
				a.logger.Error("groups of a partition cannot be served", "err", fmt.Errorf("%s-%d is offline", offsetsTopic, index))
				continue
			}
			a.groups.Lead(index, int32(len(t.Partitions)), groupLog{log, p.LeaderEpoch})
			a.led[index] = p.LeaderEpoch
		}
	}
}
