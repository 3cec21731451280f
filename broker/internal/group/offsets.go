package group

import (
	"maps"
	"slices"
)

// offsets are a group's committed offsets by topic and partition.
type offsets map[string]map[int32]placed

// placed is an offset with its place among the records of the group: of two
// for one partition the later holds.
type placed struct {
	Offset
	order int64
}

func (o offsets) at(topic string, partition int32) (Offset, bool) {
	p, ok := o[topic][partition]
	return p.Offset, ok
}

func (o offsets) count() int {
	n := 0
	for _, partitions := range o {
		n += len(partitions)
	}
	return n
}

func (o offsets) apply(rec *OffsetRecord, order int64) {
	partitions := o[rec.Topic]
	if rec.Offset == nil {
		delete(partitions, rec.Partition)
		if len(partitions) == 0 {
			delete(o, rec.Topic)
		}
		return
	}
	o.set(rec.Topic, rec.Partition, placed{*rec.Offset, order})
}

func (o offsets) set(topic string, partition int32, p placed) {
	if o[topic] == nil {
		o[topic] = map[int32]placed{}
	}
	o[topic][partition] = p
}

// each visits all offsets in the order of topics and partitions. The visitor
// may apply records.
func (o offsets) each(visit func(topic string, partition int32, offset Offset)) {
	for _, topic := range slices.Sorted(maps.Keys(o)) {
		for _, partition := range slices.Sorted(maps.Keys(o[topic])) {
			visit(topic, partition, o[topic][partition].Offset)
		}
	}
}
