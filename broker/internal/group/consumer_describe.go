package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// The kinds of members in ConsumerGroupDescribe v1.
const (
	classicMember  = 0
	consumerKind   = "consumer"
	protocolMember = 1
)

// DescribeConsumer is a ConsumerGroupDescribe of this group.
func (s *State) DescribeConsumer(t *Turn) {
	c := s.consumer
	if c == nil {
		t.Reply(RefuseConsumerDescribe(s.id, kerr.GroupIDNotFound, "Group "+s.id+" is not a consumer group."))
		return
	}
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group = s.id
	d.State = c.phase().String()
	d.Epoch, d.AssignmentEpoch = c.epoch, c.assigned
	d.AssignorName = s.assignor()
	topics, _ := s.topics()
	for _, m := range c.sorted() {
		d.Members = append(d.Members, m.describe(topics))
	}
	t.Settle(d)
}

func (m *consumerMember) describe(topics Topics) kmsg.ConsumerGroupDescribeResponseGroupMember {
	d := kmsg.NewConsumerGroupDescribeResponseGroupMember()
	d.MemberID, d.InstanceID, d.RackID = m.id, optional(m.info.Instance), optional(m.info.Rack)
	d.MemberEpoch = m.current.Epoch
	d.ClientID, d.ClientHost = m.info.Client.ID, m.info.Client.Host
	d.SubscribedTopics, d.SubscribedTopicRegex = m.info.Topics, optional(m.info.Pattern)
	d.Assignment = describeAssignment(m.current.Assigned.assignment(), topics)
	d.TargetAssignment = describeAssignment(m.target, topics)
	d.MemberType = protocolMember
	if m.classic() {
		d.MemberType = classicMember
	}
	return d
}

// describeAssignment leaves out topics that are no more: they have no name.
func describeAssignment(a assignor.Assignment, topics Topics) (d kmsg.Assignment) {
	for _, id := range slices.SortedFunc(maps.Keys(a), compareIDs) {
		topic, ok := topics.TopicByID(id)
		if !ok {
			continue
		}
		tp := kmsg.NewAssignmentTopicPartition()
		tp.TopicID, tp.Topic, tp.Partitions = id, topic.Name, a[id]
		d.TopicPartitions = append(d.TopicPartitions, tp)
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
