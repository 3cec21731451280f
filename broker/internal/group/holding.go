package group

import (
	"bytes"
	"maps"
	"slices"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// A Holding is what a member of the consumer protocol owns: partitions by
// topic, each with the group's epoch in which the member got it. A commit must
// not be older than that (KIP-1251). A Holding is replaced, never changed.
type Holding map[TopicID]map[int32]int32

// add puts a partition into a holding that is being made.
func (h Holding) add(topic TopicID, partition, epoch int32) {
	if h[topic] == nil {
		h[topic] = map[int32]int32{}
	}
	h[topic][partition] = epoch
}

func (h Holding) has(topic TopicID, partition int32) bool {
	_, ok := h[topic][partition]
	return ok
}

// equal reports whether both hold the same partitions.
func (h Holding) equal(other Holding) bool {
	return maps.EqualFunc(h, other, maps.Equal)
}

// topics are the ids in order.
func (h Holding) topics() []TopicID {
	return slices.SortedFunc(maps.Keys(h), compareIDs)
}

func compareIDs(a, b TopicID) int { return bytes.Compare(a[:], b[:]) }

// assignment is the holding without its epochs.
func (h Holding) assignment() assignor.Assignment {
	a := make(assignor.Assignment, len(h))
	for topic, partitions := range h {
		a[topic] = slices.Sorted(maps.Keys(partitions))
	}
	return a
}

// holdingOf is an assignment with one epoch for all of it.
func holdingOf(a assignor.Assignment, epoch int32) Holding {
	h := Holding{}
	for topic, partitions := range a {
		for _, p := range partitions {
			h.add(topic, p, epoch)
		}
	}
	return h
}

// owned are the partitions that a member says it owns. Nil is said by one that
// leaves it out, which is not the same as to own none.
type owned []OwnedTopic

// includes reports whether the member still owns any of these.
func (o owned) includes(h Holding) bool {
	if o == nil {
		return true // it has not said that it gave them up
	}
	for i := range o {
		for _, p := range o[i].Partitions {
			if h.has(o[i].TopicID, p) {
				return true
			}
		}
	}
	return false
}

// within reports whether all that the member owns is part of this.
func (o owned) within(h Holding) bool {
	if o == nil {
		return false
	}
	for i := range o {
		for _, p := range o[i].Partitions {
			if !h.has(o[i].TopicID, p) {
				return false
			}
		}
	}
	return true
}
