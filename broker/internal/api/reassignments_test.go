package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a partition has may be written back; everything else says why not, and
// nothing is under way afterwards.
func TestReassignments(t *testing.T) {
	n := start(t, setup{others: []int32{2}})
	n.create(t, "t")
	c := n.client(t)
	for _, test := range []struct {
		topic     string
		partition int32
		replicas  []int32
		want      *kerr.Error
		detail    string
	}{
		{"t", 0, []int32{1}, nil, ""},
		{"t", 0, nil, kerr.NoReassignmentInProgress, "not being moved"},
		{"t", 0, []int32{}, kerr.InvalidReplicaAssignment, "no replica"},
		{"t", 0, []int32{1, 1}, kerr.InvalidReplicaAssignment, "twice to broker 1"},
		{"t", 0, []int32{1, 7}, kerr.InvalidReplicaAssignment, "broker 7, which is not registered"},
		{"t", 0, []int32{2}, kerr.InvalidReplicaAssignment, "cannot be moved yet"},
		{"t", 1, []int32{1}, kerr.UnknownTopicOrPartition, "partitions 0 to 0"},
		{"u", 0, []int32{1}, kerr.UnknownTopicOrPartition, `no topic "u"`},
	} {
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.Version = 1
		req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{
			Topic: test.topic, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: test.partition, Replicas: test.replicas}},
		}}
		resp := ask[*kmsg.AlterPartitionAssignmentsResponse](c, req)
		got := resp.Topics[0].Partitions[0]
		switch {
		case resp.ErrorCode != 0 || got.Partition != test.partition:
			t.Errorf("%v: %+v", test.replicas, resp)
		case test.want == nil && got.ErrorCode == 0:
		case test.want == nil || got.ErrorCode != test.want.Code || !strings.Contains(*got.ErrorMessage, test.detail):
			t.Errorf("%s-%d to %v: %v, want %v", test.topic, test.partition, test.replicas, kerr.ErrorForCode(got.ErrorCode), test.want)
		}
	}
	list := kmsg.NewPtrListPartitionReassignmentsRequest()
	list.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "t", Partitions: []int32{0}}, {Topic: "u"}}
	if resp := ask[*kmsg.ListPartitionReassignmentsResponse](c, list); resp.ErrorCode != 0 || len(resp.Topics) != 0 {
		t.Errorf("under way: %+v", resp)
	}
}
