package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ExpireOffsets deletes what nobody needs any longer (KIP-211): offsets of a
// group that has been without members for the retention time; of a topic that
// its members are not subscribed to; of a simple consumer, each by the time of
// its commit. An empty group without offsets is deleted itself.
func (s *State) ExpireOffsets(t *Turn) {
	expired := s.retention(t.Now)
	s.offsets.each(func(topic string, partition int32, offset Offset) {
		if expired(topic, offset) && !s.unstable.has(topic, partition) {
			s.record(t, &OffsetRecord{Group: s.id, Topic: topic, Partition: partition})
		}
	})
	if s.Phase() == Empty && s.offsets.count() == 0 && len(s.pending) == 0 && len(s.unstable) == 0 {
		s.bury(t)
	}
}

// retention returns the rule that holds for the group as it stands.
func (s *State) retention(now time.Time) func(topic string, offset Offset) bool {
	old := func(since time.Time) bool { return now.Sub(since) >= s.opts.OffsetRetention }
	rule := func(string, Offset) bool { return false }
	switch {
	case s.consumer != nil:
		topics, _ := s.subscribed()
		rule = func(topic string, o Offset) bool { return !topics[topic] && old(o.Committed) }
	case s.phase == Empty && s.protocolType != "":
		rule = func(_ string, o Offset) bool { return old(latest(s.since, o.Committed)) }
	case s.phase == Empty:
		rule = func(_ string, o Offset) bool { return old(o.Committed) }
	case s.phase == Stable:
		if topics, ok := s.subscribed(); ok {
			rule = func(topic string, o Offset) bool { return !topics[topic] && old(o.Committed) }
		}
	}
	return func(topic string, o Offset) bool {
		if !o.Expires.IsZero() {
			return s.Phase() == Empty && due(o.Expires, now)
		}
		return rule(topic, o)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// bury ends the group. Where the log has heard of it, it hears of its end.
func (s *State) bury(t *Turn) {
	if s.consumer != nil {
		s.buryConsumer(t)
	}
	if s.recorded {
		s.record(t, &MetadataRecord{Group: s.id})
	}
	s.phase = Dead
}

// consumerProtocol is the one protocol type whose metadata the broker reads.
const consumerProtocol = "consumer"

// subscribed returns the topics of all members. It reports false where that
// cannot be known: another protocol type, or metadata that does not parse.
func (s *State) subscribed() (map[string]bool, bool) {
	if s.consumer != nil {
		return s.consumer.reads(), true
	}
	if s.protocolType != consumerProtocol {
		return nil, false
	}
	topics := map[string]bool{}
	for _, m := range s.members.order {
		metadata, ok := m.metadata(s.protocol)
		var consumer kmsg.ConsumerMemberMetadata
		if !ok || consumer.ReadFrom(metadata) != nil {
			return nil, false
		}
		for _, topic := range consumer.Topics {
			topics[topic] = true
		}
	}
	return topics, true
}
