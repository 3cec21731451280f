package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// AlterPartitionAssignments (key 45, v0-1; KIP-455) asks for other replicas
// of partitions, or with null ones takes that back.
//
// The replicas that a partition has are granted, so a tool that writes down an
// assignment can write it back. They do not move between brokers yet. Kafka
// calls this API AlterPartitionReassignments.

func (b *Broker) alterPartitionReassignments(_ call, req *kmsg.AlterPartitionAssignmentsRequest) *kmsg.AlterPartitionAssignmentsResponse {
	resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	image := b.image()
	for _, t := range req.Topics {
		topic := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			partition := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			partition.Partition = p.Partition
			partition.ErrorCode, partition.ErrorMessage = refusal(controller.CheckReassignment(image, controller.Reassignment{
				Topic: t.Topic, Partition: p.Partition, Replicas: p.Replicas,
			}))
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
