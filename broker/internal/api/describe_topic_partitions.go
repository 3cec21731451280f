package api

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// DescribeTopicPartitions (key 75, v0; KIP-966): partitions with their
// eligible leader replicas, a page at a time.
//
// Topics come in the order of their names; an empty list asks for all. A page
// holds as many partitions as the request asks for, maxDescribedPartitions at
// most, and names the next one in its cursor. Topics before the cursor are
// left out. Nothing is created.

// maxDescribedPartitions bounds a page: max.request.partition.size.limit's
// default in Kafka.
const maxDescribedPartitions = 2000

func (b *Broker) describeTopicPartitions(c call, req *kmsg.DescribeTopicPartitionsRequest) *kmsg.DescribeTopicPartitionsResponse {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	image := b.image()
	var cursor topicCursor
	if req.Cursor != nil {
		cursor = topicCursor{req.Cursor.Topic, max(req.Cursor.Partition, 0)}
	}
	room := int(req.ResponsePartitionLimit)
	if room <= 0 || room > maxDescribedPartitions {
		room = maxDescribedPartitions
	}
	for _, name := range askedTopics(image, req) {
		if strings.Compare(name, cursor.topic) < 0 {
			continue
		}
		topic, ok := image.Topic(name)
		if !ok {
			resp.Topics = append(resp.Topics, absentTopic(name))
			continue
		}
		first := 0
		if name == cursor.topic {
			first = min(int(cursor.partition), len(topic.Partitions))
		}
		if room == 0 {
			resp.NextCursor = nextCursor(name, first)
			return resp
		}
		last := min(first+room, len(topic.Partitions))
		resp.Topics = append(resp.Topics, describedPartitions(image, topic, c.listener, first, last))
		room -= last - first
		if last < len(topic.Partitions) {
			resp.NextCursor = nextCursor(name, last)
			return resp
		}
	}
	return resp
}

// topicCursor is where a page begins.
type topicCursor struct {
	topic     string
	partition int32
}

func nextCursor(topic string, partition int) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	next.Topic, next.Partition = topic, int32(partition)
	return &next
}

// askedTopics lists the names that a request asks for, in order, each once.
func askedTopics(image *metadata.Image, req *kmsg.DescribeTopicPartitionsRequest) []string {
	var names []string
	for _, t := range req.Topics {
		names = append(names, t.Topic)
	}
	if len(req.Topics) == 0 {
		for topic := range image.Topics() {
			names = append(names, topic.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func absentTopic(name string) kmsg.DescribeTopicPartitionsResponseTopic {
	t := kmsg.NewDescribeTopicPartitionsResponseTopic()
	t.Topic, t.ErrorCode = &name, kerr.UnknownTopicOrPartition.Code
	if err := controller.CheckTopicName(name); err != nil {
		t.ErrorCode = err.Code.Code
	}
	return t
}

func describedPartitions(image *metadata.Image, topic *metadata.Topic, listener string, first, last int) kmsg.DescribeTopicPartitionsResponseTopic {
	whole := metadataTopic(image, topic, listener)
	t := kmsg.NewDescribeTopicPartitionsResponseTopic()
	t.Topic, t.TopicID, t.IsInternal = whole.Topic, whole.TopicID, whole.IsInternal
	for i, m := range whole.Partitions[first:last] {
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.ErrorCode, p.Partition, p.LeaderID, p.LeaderEpoch = m.ErrorCode, m.Partition, m.Leader, m.LeaderEpoch
		p.Replicas, p.ISR, p.OfflineReplicas = m.Replicas, m.ISR, m.OfflineReplicas
		state := topic.Partitions[first+i]
		p.EligibleLeaderReplicas = state.ELR
		if state.LastKnownLeader != metadata.NoLeader {
			p.LastKnownELR = []int32{state.LastKnownLeader}
		}
		t.Partitions = append(t.Partitions, p)
	}
	return t
}
