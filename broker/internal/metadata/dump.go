package metadata

import (
	"iter"
	"maps"
	"slices"
)

// Records gives the records that make this image out of an empty one, in an
// order that depends on the image alone: a snapshot. Two images are equal if
// and only if their records are (invariant I15).
func (i *Image) Records() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		_ = i.dumpCluster(yield) && i.dumpBrokers(yield) && i.dumpTopics(yield) && i.dumpConfigs(yield) && i.dumpQuotas(yield) && i.dumpScram(yield)
	}
}

func (i *Image) dumpCluster(yield func(Record) bool) bool {
	if i.clusterID != "" && !yield(&ClusterID{i.clusterID}) {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(i.features)) {
		if !yield(&Feature{name, i.features[name]}) {
			return false
		}
	}
	return i.nextProducerID == 0 || yield(&ProducerIDs{Broker: -1, Next: i.nextProducerID})
}

func (i *Image) dumpBrokers(yield func(Record) bool) bool {
	for _, b := range i.brokers {
		if !yield(&RegisterBroker{
			Broker: b.ID, Epoch: b.Epoch, Incarnation: b.Incarnation,
			Listeners: b.Listeners, Rack: b.Rack, Directories: b.Directories, Fenced: b.Fenced,
		}) {
			return false
		}
		if b.ShuttingDown && !yield(&BrokerChange{Broker: b.ID, Epoch: b.Epoch, ShuttingDown: Set}) {
			return false
		}
	}
	return true
}

func (i *Image) dumpTopics(yield func(Record) bool) bool {
	for t := range i.Topics() {
		if !yield(&NewTopic{t.Name, t.ID}) {
			return false
		}
		for index, p := range t.Partitions {
			if !yield(&NewPartition{t.ID, int32(index), *p}) {
				return false
			}
		}
	}
	return true
}

func (i *Image) dumpConfigs(yield func(Record) bool) bool {
	for r, set := range i.configs.all() {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if !yield(&ConfigChange{r, name, new(set[name])}) {
				return false
			}
		}
	}
	return true
}
