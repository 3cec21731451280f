package metadata

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrMismatch is returned for a record that does not fit the image that it is
// applied to. It means that the log is not the one that made the image.
var ErrMismatch = errors.New("metadata record does not fit the image")

// Delta makes the next image and says what is different in it. A Delta is
// used by one goroutine; once finished, it is read only.
type Delta struct {
	before *Image
	next   Image
	index  uint64 // of the entry that is applied

	// owned holds the topics that this delta created or copied, so that many
	// changes of one topic copy its list of partitions once.
	owned map[UUID]*topicEdit

	brokers   map[int32]bool
	configs   map[Resource]bool
	quotas    bool
	scram     bool
	ids       bool
	clusterID bool
	features  bool
	removed   []*Topic
}

// topicEdit is a topic in the making.
type topicEdit struct {
	topic   *Topic
	created bool
	changed map[int32]bool // partitions, new ones included
}

// TopicChange is what a delta did to one topic.
type TopicChange struct {
	Topic *Topic // as it is after the delta
	// Created is set where the topic is new.
	Created bool
	// Partitions lists the new and changed partitions in order.
	Partitions []int32
}

// Edit begins the delta for the entry at index, made by the controller of
// this epoch (the raft term).
func (i *Image) Edit(index, epoch uint64) *Delta {
	d := &Delta{before: i, next: *i, index: index}
	d.next.index, d.next.epoch = index, epoch
	return d
}

// Apply applies one record. After an error, which wraps ErrMismatch, the
// delta must be dropped.
func (d *Delta) Apply(r Record) error { return r.apply(d) }

// Finish returns the image that the delta makes. It is called once.
func (d *Delta) Finish() *Image {
	for id, edit := range d.owned {
		d.next.byID = d.next.byID.with(id, edit.topic)
		d.next.topics = d.next.topics.with(edit.topic.Name, edit.topic)
	}
	next := d.next
	return &next
}

// Before is the image that the delta began with.
func (d *Delta) Before() *Image { return d.before }

// Topics lists the topics that were created or changed, by name.
func (d *Delta) Topics() []TopicChange {
	changes := make([]TopicChange, 0, len(d.owned))
	for _, edit := range d.owned {
		changes = append(changes, TopicChange{edit.topic, edit.created, slices.Sorted(maps.Keys(edit.changed))})
	}
	slices.SortFunc(changes, func(a, b TopicChange) int { return byText{}.compare(a.Topic.Name, b.Topic.Name) })
	return changes
}

// Removed lists the topics that were deleted, as they were.
func (d *Delta) Removed() []*Topic { return d.removed }

// Brokers lists the brokers whose registration is new, changed or gone.
func (d *Delta) Brokers() []int32 { return slices.Sorted(maps.Keys(d.brokers)) }

// Configs lists the resources whose configs changed. Those of a removed topic
// are not among them.
func (d *Delta) Configs() []Resource {
	return slices.SortedFunc(maps.Keys(d.configs), byResource{}.compare)
}

// ProducerIDs reports whether a block of producer ids was handed out.
func (d *Delta) ProducerIDs() bool { return d.ids }

// Features reports whether a feature level changed.
func (d *Delta) Features() bool { return d.features }

// ClusterID reports whether the cluster got its id.
func (d *Delta) ClusterID() bool { return d.clusterID }

// mark adds to a set that may not exist yet.
func mark[K comparable](set *map[K]bool, key K) {
	if *set == nil {
		*set = make(map[K]bool)
	}
	(*set)[key] = true
}

func mismatch(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMismatch}, args...)...)
}

// edit returns a topic of the next image that may be written to.
func (d *Delta) edit(id UUID) (*topicEdit, error) {
	if e, ok := d.owned[id]; ok {
		return e, nil
	}
	t, ok := d.next.byID.find(id)
	if !ok {
		return nil, mismatch("no topic with id %s", id)
	}
	e := &topicEdit{topic: &Topic{Name: t.Name, ID: t.ID, Partitions: slices.Clone(t.Partitions)}}
	d.own(e)
	return e, nil
}

func (d *Delta) own(e *topicEdit) {
	if d.owned == nil {
		d.owned = make(map[UUID]*topicEdit)
	}
	d.owned[e.topic.ID] = e
}
