package assign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const userDataVersion = 1

// ErrOtherTopology is returned when members of one group run different
// topologies.
var ErrOtherTopology = errors.New("two applications with one AppID")

// Balancer is the group protocol "millrace". It implements kgo.GroupBalancer.
type Balancer struct {
	// Inputs are the input topics of each subtopology, by its number.
	Inputs [][]string
	// Hash identifies the topology.
	Hash uint64
}

var _ kgo.GroupBalancer = (*Balancer)(nil)

// ProtocolName implements kgo.GroupBalancer.
func (b *Balancer) ProtocolName() string { return "millrace" }

// IsCooperative implements kgo.GroupBalancer.
func (b *Balancer) IsCooperative() bool { return true }

// JoinGroupMetadata implements kgo.GroupBalancer. Its result depends on its
// input only, since a change of it makes the group rebalance.
func (b *Balancer) JoinGroupMetadata(topics []string, current map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
	meta.Generation = generation
	meta.UserData = binary.BigEndian.AppendUint64([]byte{userDataVersion}, b.Hash)
	for topic, partitions := range current {
		owned := kmsg.NewConsumerMemberMetadataOwnedPartition()
		owned.Topic, owned.Partitions = topic, partitions
		meta.OwnedPartitions = append(meta.OwnedPartitions, owned)
	}
	slices.SortFunc(meta.OwnedPartitions, func(a, b kmsg.ConsumerMemberMetadataOwnedPartition) int {
		return strings.Compare(a.Topic, b.Topic)
	})
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b *Balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
}

// MemberBalancer implements kgo.GroupBalancer.
func (b *Balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	return cb, cb.MemberTopics(), err
}

// Balance implements kgo.ConsumerBalancerBalance.
func (b *Balancer) Balance(cb *kgo.ConsumerBalancer, partitions map[string]int32) kgo.IntoSyncAssignment {
	if err := b.sameTopology(cb); err != nil {
		cb.SetError(err)
		return nil
	}
	plan := cb.NewPlan()
	byID := map[string]*kmsg.JoinGroupResponseMember{}
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, _ *kmsg.ConsumerMemberMetadata) { byID[m.MemberID] = m })
	for id, tasks := range Plan(b.tasks(partitions), b.members(cb)) {
		for _, t := range tasks {
			for _, topic := range b.Inputs[t.Subtopology] {
				if t.Partition < partitions[topic] {
					plan.AddPartition(byID[id], topic, t.Partition)
				}
			}
		}
	}
	plan.AdjustCooperative(cb)
	return plan
}

// sameTopology refuses to balance members that run different topologies: a
// member would get tasks that it does not have.
func (b *Balancer) sameTopology(cb *kgo.ConsumerBalancer) error {
	var err error
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		data := meta.UserData
		if len(data) != 9 || data[0] != userDataVersion {
			err = fmt.Errorf("%w: member %s does not speak version %d of the millrace group protocol", ErrOtherTopology, m.MemberID, userDataVersion)
			return
		}
		if hash := binary.BigEndian.Uint64(data[1:]); hash != b.Hash {
			err = fmt.Errorf("%w: member %s runs topology %016x, ours is %016x; give one of them another id", ErrOtherTopology, m.MemberID, hash, b.Hash)
		}
	})
	return err
}

// tasks are all tasks of the topology: each subtopology has as many as its
// largest input has partitions.
func (b *Balancer) tasks(partitions map[string]int32) []Task {
	var out []Task
	for sub, topics := range b.Inputs {
		n := int32(0)
		for _, topic := range topics {
			n = max(n, partitions[topic])
		}
		for p := range n {
			out = append(out, Task{Subtopology: sub, Partition: p})
		}
	}
	return out
}

// members says which tasks each member has. Of two that claim a partition the
// one with the newer generation has it (KIP-792).
func (b *Balancer) members(cb *kgo.ConsumerBalancer) []Member {
	type claim struct {
		member     string
		generation int32
	}
	claims := map[Task]claim{}
	var out []Member
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		out = append(out, Member{ID: m.MemberID})
		for _, owned := range meta.OwnedPartitions {
			sub := slices.IndexFunc(b.Inputs, func(topics []string) bool { return slices.Contains(topics, owned.Topic) })
			if sub < 0 {
				continue
			}
			for _, p := range owned.Partitions {
				t := Task{Subtopology: sub, Partition: p}
				if c, ok := claims[t]; !ok || meta.Generation > c.generation {
					claims[t] = claim{m.MemberID, meta.Generation}
				}
			}
		}
	})
	for t, c := range claims {
		i := slices.IndexFunc(out, func(m Member) bool { return m.ID == c.member })
		out[i].Has = append(out[i].Has, t)
	}
	return out
}
