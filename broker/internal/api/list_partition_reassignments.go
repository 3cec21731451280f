package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ListPartitionReassignments (key 46, v0; KIP-455) lists partitions whose
// replicas are being moved. Those that are asked for and stay, or do not
// exist, are left out, as by Kafka; as long as replicas do not move between
// brokers, that is all of them.

func (b *Broker) listPartitionReassignments(call, *kmsg.ListPartitionReassignmentsRequest) *kmsg.ListPartitionReassignmentsResponse {
	return kmsg.NewPtrListPartitionReassignmentsResponse()
}
