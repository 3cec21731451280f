package group

import (
	"maps"
	"slices"
)

// offsets are a group's committed offsets by topic and partition.
type offsets map[string]map[int32]Offset

func (o offsets) at(topic string, partition int32) (Offset, bool) {
	offset, ok := o[topic][partition]
	return offset, ok
}

func (o offsets) count() int {
	n := 0
	for _, partitions := range o {
		n += len(partitions)
	}
	return n
}

func (o offsets) apply(rec *OffsetRecord) {
	partitions := o[rec.Topic]
	if rec.Offset == nil {
		delete(partitions, rec.Partition)
		if len(partitions) == 0 {
			delete(o, rec.Topic)
		}
		return
	}
	if partitions == nil {
		partitions = map[int32]Offset{}
		o[rec.Topic] = partitions
	}
	partitions[rec.Partition] = *rec.Offset
}

// each visits all offsets in the order of topics and partitions. The visitor
// may apply records.
func (o offsets) each(visit func(topic string, partition int32, offset Offset)) {
	for _, topic := range slices.Sorted(maps.Keys(o)) {
		for _, partition := range slices.Sorted(maps.Keys(o[topic])) {
			visit(topic, partition, o[topic][partition])
		}
	}
}
