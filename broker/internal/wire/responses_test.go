package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

func drawEndpoints(t *rapid.T) []Endpoint {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Endpoint {
		return Endpoint{
			NodeID: rapid.Int32().Draw(t, "node"), Host: rapid.StringMatching(`[a-z]{0,200}`).Draw(t, "host"),
			Port: rapid.Int32().Draw(t, "port"), Rack: rapid.StringMatching(`[a-z]{0,200}`).Draw(t, "rack"),
		}
	}), 0, 3).Draw(t, "leaders")
}

func drawLeader(t *rapid.T) Leader {
	if rapid.Bool().Draw(t, "hinted") {
		return Leader{ID: rapid.Int32Range(0, 9).Draw(t, "leader"), Epoch: rapid.Int32Range(0, 9).Draw(t, "epoch")}
	}
	return NoLeader
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func TestProduceResponseIsKmsgs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int16Range(MinProduce, MaxProduce).Draw(t, "version")
		want := kmsg.NewPtrProduceResponse()
		want.Version = version
		want.ThrottleMillis = rapid.Int32().Draw(t, "throttle")
		resp := ProduceResponse(version)
		topics := counts.Draw(t, "topics")
		got := resp.Begin(nil, topics)
		for range topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = names.Draw(t, "topic"), ids.Draw(t, "id")
			partitions := counts.Draw(t, "partitions")
			got = resp.Topic(got, topic.Topic, topic.TopicID, partitions)
			for range partitions {
				ours, theirs := drawProduced(t, version)
				topic.Partitions = append(topic.Partitions, theirs)
				got = resp.Partition(got, &ours)
			}
			got = resp.EndTopic(got)
			want.Topics = append(want.Topics, topic)
		}
		var leaders []Endpoint
		if version >= 10 {
			leaders = drawEndpoints(t)
		}
		for _, l := range leaders {
			want.Brokers = append(want.Brokers, kmsg.ProduceResponseBroker{NodeID: l.NodeID, Host: l.Host, Port: l.Port, Rack: optional(l.Rack)})
		}
		got = resp.End(got, want.ThrottleMillis, leaders)
		if w := want.AppendTo(nil); !bytes.Equal(got, w) {
			t.Fatalf("v%d\nwire %x\nkmsg %x", version, got, w)
		}
	})
}

func drawProduced(t *rapid.T, version int16) (ProducePartition, kmsg.ProduceResponseTopicPartition) {
	ours := ProducePartition{
		Partition: rapid.Int32().Draw(t, "partition"), ErrorCode: rapid.Int16().Draw(t, "code"),
		BaseOffset: rapid.Int64().Draw(t, "offset"), LogAppendTime: rapid.Int64().Draw(t, "time"),
		LogStartOffset: rapid.Int64().Draw(t, "start"), ErrorMessage: names.Draw(t, "message"), Leader: NoLeader,
	}
	if version >= 10 {
		ours.Leader = drawLeader(t)
	}
	theirs := kmsg.NewProduceResponseTopicPartition()
	theirs.Partition, theirs.ErrorCode, theirs.BaseOffset = ours.Partition, ours.ErrorCode, ours.BaseOffset
	theirs.LogAppendTime, theirs.LogStartOffset, theirs.ErrorMessage = ours.LogAppendTime, ours.LogStartOffset, optional(ours.ErrorMessage)
	theirs.CurrentLeader.LeaderID, theirs.CurrentLeader.LeaderEpoch = ours.Leader.ID, ours.Leader.Epoch
	for range counts.Draw(t, "record errors") {
		e := RecordError{Index: rapid.Int32().Draw(t, "index"), Message: names.Draw(t, "why")}
		ours.RecordErrors = append(ours.RecordErrors, e)
		theirs.ErrorRecords = append(theirs.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: e.Index, ErrorMessage: optional(e.Message)})
	}
	return ours, theirs
}

func TestFetchResponseIsKmsgs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int16Range(MinFetch, MaxFetch).Draw(t, "version")
		want := kmsg.NewPtrFetchResponse()
		want.Version = version
		want.ThrottleMillis = rapid.Int32().Draw(t, "throttle")
		want.ErrorCode, want.SessionID = rapid.Int16().Draw(t, "code"), rapid.Int32().Draw(t, "session")
		resp := FetchResponse(version)
		topics := counts.Draw(t, "topics")
		got := resp.Begin(nil, want.ThrottleMillis, want.ErrorCode, want.SessionID, topics)
		for range topics {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = names.Draw(t, "topic"), ids.Draw(t, "id")
			partitions := counts.Draw(t, "partitions")
			got = resp.Topic(got, topic.Topic, topic.TopicID, partitions)
			for range partitions {
				ours, theirs := drawFetched(t, version)
				topic.Partitions = append(topic.Partitions, theirs)
				got = resp.Partition(got, &ours, len(theirs.RecordBatches))
				got = append(got, theirs.RecordBatches...)
				got = resp.EndPartition(got, &ours)
			}
			got = resp.EndTopic(got)
			want.Topics = append(want.Topics, topic)
		}
		var leaders []Endpoint
		if version >= 16 {
			leaders = drawEndpoints(t)
		}
		for _, l := range leaders {
			want.Brokers = append(want.Brokers, kmsg.FetchResponseBroker{NodeID: l.NodeID, Host: l.Host, Port: l.Port, Rack: optional(l.Rack)})
		}
		got = resp.End(got, leaders)
		if w := want.AppendTo(nil); !bytes.Equal(got, w) {
			t.Fatalf("v%d\nwire %x\nkmsg %x", version, got, w)
		}
	})
}

func drawFetched(t *rapid.T, version int16) (FetchedPartition, kmsg.FetchResponseTopicPartition) {
	ours := FetchedPartition{
		Partition: rapid.Int32().Draw(t, "partition"), ErrorCode: rapid.Int16().Draw(t, "code"),
		HighWatermark: rapid.Int64().Draw(t, "hw"), LastStableOffset: rapid.Int64().Draw(t, "lso"),
		LogStartOffset: rapid.Int64().Draw(t, "start"), PreferredReadReplica: rapid.Int32().Draw(t, "preferred"),
		DivergingEpoch: -1, DivergingEnd: -1, Leader: NoLeader,
	}
	theirs := kmsg.NewFetchResponseTopicPartition()
	if version >= 12 {
		ours.Leader = drawLeader(t)
		if rapid.Bool().Draw(t, "diverging") {
			ours.DivergingEpoch, ours.DivergingEnd = rapid.Int32Range(0, 9).Draw(t, "epoch"), rapid.Int64Range(0, 9).Draw(t, "end")
		}
	}
	theirs.Partition, theirs.ErrorCode = ours.Partition, ours.ErrorCode
	theirs.HighWatermark, theirs.LastStableOffset, theirs.LogStartOffset = ours.HighWatermark, ours.LastStableOffset, ours.LogStartOffset
	theirs.PreferredReadReplica = ours.PreferredReadReplica
	theirs.DivergingEpoch.Epoch, theirs.DivergingEpoch.EndOffset = ours.DivergingEpoch, ours.DivergingEnd
	theirs.CurrentLeader.LeaderID, theirs.CurrentLeader.LeaderEpoch = ours.Leader.ID, ours.Leader.Epoch
	theirs.RecordBatches = blobs.Draw(t, "payload")
	if theirs.RecordBatches == nil {
		theirs.RecordBatches = []byte{}
	}
	if rapid.Bool().Draw(t, "committed only") {
		ours.Aborted, theirs.AbortedTransactions = []AbortedTransaction{}, []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		for range counts.Draw(t, "aborted") {
			a := AbortedTransaction{ProducerID: rapid.Int64().Draw(t, "pid"), FirstOffset: rapid.Int64().Draw(t, "first")}
			ours.Aborted = append(ours.Aborted, a)
			theirs.AbortedTransactions = append(theirs.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
		}
	}
	return ours, theirs
}
