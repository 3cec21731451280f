package metadata

import (
	"maps"
	"slices"
)

func (*NoOp) apply(*Delta) error { return nil }

func (r *ClusterID) apply(d *Delta) error {
	if d.next.clusterID != "" && d.next.clusterID != r.ID {
		return mismatch("the cluster is %s, not %s", d.next.clusterID, r.ID)
	}
	d.next.clusterID, d.clusterID = r.ID, true
	return nil
}

func (r *Feature) apply(d *Delta) error {
	levels := maps.Clone(d.next.features)
	if levels == nil {
		levels = make(map[string]int16)
	}
	levels[r.Name] = r.Level
	if r.Level == 0 {
		delete(levels, r.Name)
	}
	d.next.features, d.features = levels, true
	return nil
}

func (r *RegisterBroker) apply(d *Delta) error {
	epoch := r.Epoch
	if epoch == 0 {
		epoch = int64(d.index)
	}
	d.setBroker(&Broker{
		ID: r.Broker, Incarnation: r.Incarnation, Epoch: epoch,
		Listeners: r.Listeners, Rack: r.Rack, Directories: r.Directories, Fenced: r.Fenced,
	})
	return nil
}

func (r *UnregisterBroker) apply(d *Delta) error {
	if _, err := d.broker(r.Broker, r.Epoch); err != nil {
		return err
	}
	d.next.brokers = slices.DeleteFunc(slices.Clone(d.next.brokers), func(b *Broker) bool { return b.ID == r.Broker })
	mark(&d.brokers, r.Broker)
	return nil
}

func (r *BrokerChange) apply(d *Delta) error {
	old, err := d.broker(r.Broker, r.Epoch)
	if err != nil {
		return err
	}
	b := *old
	b.Fenced = r.Fenced.of(b.Fenced)
	b.ShuttingDown = r.ShuttingDown.of(b.ShuttingDown)
	d.setBroker(&b)
	return nil
}

// broker finds a registration by its epoch.
func (d *Delta) broker(id int32, epoch int64) (*Broker, error) {
	b, ok := d.next.Broker(id)
	if !ok || b.Epoch != epoch {
		return nil, mismatch("no broker %d with epoch %d", id, epoch)
	}
	return b, nil
}

func (d *Delta) setBroker(b *Broker) {
	others := slices.DeleteFunc(slices.Clone(d.next.brokers), func(o *Broker) bool { return o.ID == b.ID })
	at, _ := slices.BinarySearchFunc(others, b.ID, func(o *Broker, id int32) int { return int(o.ID) - int(id) })
	d.next.brokers = slices.Insert(others, at, b)
	mark(&d.brokers, b.ID)
}

func (r *NewTopic) apply(d *Delta) error {
	if other, ok := d.next.Colliding(r.Name); ok {
		return mismatch("topic %s collides with %s", r.Name, other)
	}
	if _, err := d.edit(r.ID); err == nil {
		return mismatch("topic id %s is taken", r.ID)
	}
	t := &Topic{Name: r.Name, ID: r.ID}
	d.own(&topicEdit{topic: t, created: true})
	d.next.topics = d.next.topics.with(t.Name, t)
	d.next.byID = d.next.byID.with(t.ID, t)
	d.next.folded = d.next.folded.with(fold(t.Name), t.Name)
	return nil
}

func (r *RemoveTopic) apply(d *Delta) error {
	e, err := d.edit(r.ID)
	if err != nil {
		return err
	}
	t := e.topic
	delete(d.owned, r.ID)
	if !e.created {
		d.removed = append(d.removed, t)
	}
	config := Resource{TopicResource, t.Name}
	delete(d.configs, config)
	d.next.topics = d.next.topics.without(t.Name)
	d.next.byID = d.next.byID.without(t.ID)
	d.next.folded = d.next.folded.without(fold(t.Name))
	d.next.configs = d.next.configs.without(config)
	d.next.partitions -= len(t.Partitions)
	return nil
}

func (r *NewPartition) apply(d *Delta) error {
	e, err := d.edit(r.Topic)
	if err != nil {
		return err
	}
	if int(r.Index) != len(e.topic.Partitions) {
		return mismatch("partition %s-%d is not the next one, of %d", e.topic.Name, r.Index, len(e.topic.Partitions))
	}
	p := r.Partition
	e.topic.Partitions = append(e.topic.Partitions, &p)
	mark(&e.changed, r.Index)
	d.next.partitions++
	return nil
}

func (r *PartitionChange) apply(d *Delta) error {
	e, err := d.edit(r.Topic)
	if err != nil {
		return err
	}
	old, ok := e.topic.Partition(r.Index)
	if !ok {
		return mismatch("no partition %s-%d", e.topic.Name, r.Index)
	}
	p := *old
	for i, ids := range r.lists() {
		if *ids != nil {
			*p.lists()[i] = *ids
		}
	}
	if r.Leader != nil {
		p.Leader = *r.Leader
		p.LeaderEpoch++
	}
	if r.LastKnownLeader != nil {
		p.LastKnownLeader = *r.LastKnownLeader
	}
	p.Recovering = r.Recovering.of(p.Recovering)
	p.PartitionEpoch++
	e.topic.Partitions[r.Index] = &p
	mark(&e.changed, r.Index)
	return nil
}

func (r *ConfigChange) apply(d *Delta) error {
	if _, ok := d.next.Topic(r.Resource.Name); r.Resource.Type == TopicResource && !ok {
		return mismatch("config %s of topic %s, which does not exist", r.Name, r.Resource.Name)
	}
	set := maps.Clone(d.next.Config(r.Resource))
	if set == nil {
		set = make(map[string]string)
	}
	if r.Value != nil {
		set[r.Name] = *r.Value
	} else {
		delete(set, r.Name)
	}
	if len(set) > 0 {
		d.next.configs = d.next.configs.with(r.Resource, set)
	} else {
		d.next.configs = d.next.configs.without(r.Resource)
	}
	mark(&d.configs, r.Resource)
	return nil
}

func (r *ProducerIDs) apply(d *Delta) error {
	if r.Next <= d.next.nextProducerID {
		return mismatch("producer ids up to %d are handed out already, not only to %d", d.next.nextProducerID, r.Next)
	}
	d.next.nextProducerID, d.ids = r.Next, true
	return nil
}
