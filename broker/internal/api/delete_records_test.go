package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

func deleteUpTo(version int16, topic string, partition int32, offset int64) *kmsg.DeleteRecordsRequest {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version = version
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}}}}
	return req
}

// Item 67: DeleteRecords moves the log start, -1 means the high watermark, and
// a compact-only topic refuses it.
func TestItem67DeleteRecords(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	compact, both := "compact", "compact,delete"
	n.createTopic(t, controller.NewTopic{Name: "compacted", Partitions: 1, Replicas: 1, Configs: []controller.Config{{Name: "cleanup.policy", Value: &compact}}})
	n.createTopic(t, controller.NewTopic{Name: "both", Partitions: 1, Replicas: 1, Configs: []controller.Config{{Name: "cleanup.policy", Value: &both}}})
	for _, topic := range []string{"t", "both"} {
		n.append(t, topic, 0, "a", "b", "c", "d")
	}
	c := n.client(t)
	for _, test := range []struct {
		name      string
		version   int16
		topic     string
		partition int32
		offset    int64
		want      int64
		code      *kerr.Error
	}{
		{"in the middle of a batch", 0, "t", 0, 2, 2, nil},
		{"below the start", 1, "t", 0, 1, 2, nil},
		{"beyond the high watermark", 2, "t", 0, 5, -1, kerr.OffsetOutOfRange},
		{"negative", 2, "t", 0, -2, -1, kerr.OffsetOutOfRange},
		{"up to the high watermark", 2, "t", 0, -1, 4, nil},
		{"compact,delete", 2, "both", 0, 3, 3, nil},
		{"compacted", 2, "compacted", 0, 0, -1, kerr.PolicyViolation},
		{"no such partition", 2, "t", 7, 0, -1, kerr.UnknownTopicOrPartition},
		{"no such topic", 2, "nope", 0, 0, -1, kerr.UnknownTopicOrPartition},
		{"the broker's own", 2, "__consumer_offsets", 0, 0, -1, kerr.InvalidTopicException},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp := ask[*kmsg.DeleteRecordsResponse](c, deleteUpTo(test.version, test.topic, test.partition, test.offset))
			got := resp.Topics[0].Partitions[0]
			var code int16
			if test.code != nil {
				code = test.code.Code
			}
			if got.ErrorCode != code || got.LowWatermark != test.want {
				t.Errorf("start %d with %v, want %d with %v", got.LowWatermark, kerr.ErrorForCode(got.ErrorCode), test.want, test.code)
			}
		})
	}
	if got := fetched(c, fetchFrom(12, "t", [16]byte{}, 3)); got.ErrorCode != kerr.OffsetOutOfRange.Code || got.LogStartOffset != 4 {
		t.Errorf("a fetch below the new start: %v, log start %d", kerr.ErrorForCode(got.ErrorCode), got.LogStartOffset)
	}
}

// Item 53: a fetch that is parked learns that the log start has moved.
func TestItem53DeleteRecordsWakesReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		n.append(t, "t", 0, "a", "b")
		reader, admin := n.client(t), n.client(t)
		req := fetchFrom(12, "t", [16]byte{}, 2)
		req.MaxWaitMillis, req.MinBytes = 60_000, 1
		id := reader.send(req)
		elapse(time.Second)
		begin := time.Now()
		ask[*kmsg.DeleteRecordsResponse](admin, deleteUpTo(2, "t", 0, -1))
		resp := reader.receive(req, id).(*kmsg.FetchResponse)
		if got := resp.Topics[0].Partitions[0]; got.ErrorCode != 0 || got.LogStartOffset != 2 || time.Since(begin) != 0 {
			t.Errorf("%v, log start %d, after %v", kerr.ErrorForCode(got.ErrorCode), got.LogStartOffset, time.Since(begin))
		}
	})
}
