package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// The generators below draw kmsg values at a version: only fields that the
// version carries are set, so that both codecs must agree to the byte.

var (
	names = rapid.StringMatching(`[a-z.]{0,40}`)
	ids   = rapid.Custom(func(t *rapid.T) (id [16]byte) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return
	})
	blobs  = rapid.SliceOfN(rapid.Byte(), 0, 300)
	counts = rapid.IntRange(0, 4)
)

func drawProduceRequest(t *rapid.T, version int16) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version = version
	if rapid.Bool().Draw(t, "transactional") {
		id := names.Draw(t, "txn")
		req.TransactionID = &id
	}
	req.Acks = rapid.Int16().Draw(t, "acks")
	req.TimeoutMillis = rapid.Int32().Draw(t, "timeout")
	for range counts.Draw(t, "topics") {
		topic := kmsg.NewProduceRequestTopic()
		if version >= 13 {
			topic.TopicID = ids.Draw(t, "id")
		} else {
			topic.Topic = names.Draw(t, "topic")
		}
		for range counts.Draw(t, "partitions") {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition = rapid.Int32().Draw(t, "partition")
			if rapid.IntRange(0, 9).Draw(t, "null") > 0 {
				p.Records = blobs.Draw(t, "records")
			}
			drawTags(t, version >= 9, &p.UnknownTags)
			topic.Partitions = append(topic.Partitions, p)
		}
		drawTags(t, version >= 9, &topic.UnknownTags)
		req.Topics = append(req.Topics, topic)
	}
	drawTags(t, version >= 9, &req.UnknownTags)
	return req
}

func drawFetchRequest(t *rapid.T, version int16) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = version
	if version <= 14 {
		req.ReplicaID = rapid.Int32().Draw(t, "replica")
	} else {
		req.ReplicaState.ID = rapid.Int32().Draw(t, "replica")
		req.ReplicaState.Epoch = rapid.Int64().Draw(t, "epoch")
	}
	req.MaxWaitMillis = rapid.Int32().Draw(t, "wait")
	req.MinBytes = rapid.Int32().Draw(t, "min")
	req.MaxBytes = rapid.Int32().Draw(t, "max")
	req.IsolationLevel = rapid.Int8().Draw(t, "isolation")
	if version >= 7 {
		req.SessionID = rapid.Int32().Draw(t, "session")
		req.SessionEpoch = rapid.Int32().Draw(t, "session epoch")
		for range counts.Draw(t, "forgotten") {
			topic := kmsg.NewFetchRequestForgottenTopic()
			if version >= 13 {
				topic.TopicID = ids.Draw(t, "id")
			} else {
				topic.Topic = names.Draw(t, "topic")
			}
			topic.Partitions = rapid.SliceOfN(rapid.Int32(), 0, 4).Draw(t, "partitions")
			drawTags(t, version >= 12, &topic.UnknownTags)
			req.ForgottenTopics = append(req.ForgottenTopics, topic)
		}
	}
	for range counts.Draw(t, "topics") {
		topic := kmsg.NewFetchRequestTopic()
		if version >= 13 {
			topic.TopicID = ids.Draw(t, "id")
		} else {
			topic.Topic = names.Draw(t, "topic")
		}
		for range counts.Draw(t, "partitions") {
			topic.Partitions = append(topic.Partitions, drawFetchPartition(t, version))
		}
		drawTags(t, version >= 12, &topic.UnknownTags)
		req.Topics = append(req.Topics, topic)
	}
	if version >= 11 {
		req.Rack = names.Draw(t, "rack")
	}
	if version >= 12 && rapid.Bool().Draw(t, "with cluster") {
		id := names.Draw(t, "cluster")
		req.ClusterID = &id
	}
	return req
}

func drawFetchPartition(t *rapid.T, version int16) kmsg.FetchRequestTopicPartition {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition = rapid.Int32().Draw(t, "partition")
	p.FetchOffset = rapid.Int64().Draw(t, "offset")
	p.PartitionMaxBytes = rapid.Int32().Draw(t, "max")
	if version >= 5 {
		p.LogStartOffset = rapid.Int64().Draw(t, "start")
	}
	if version >= 9 {
		p.CurrentLeaderEpoch = rapid.Int32().Draw(t, "leader epoch")
	}
	if version >= 12 {
		p.LastFetchedEpoch = rapid.Int32().Draw(t, "fetched epoch")
		p.ReplicaDirectoryID = ids.Draw(t, "directory")
		p.HighWatermark = rapid.Int64().Draw(t, "hw")
	}
	return p
}

// drawTags adds a tagged field that no version knows.
func drawTags(t *rapid.T, flexible bool, tags *kmsg.Tags) {
	if flexible && rapid.IntRange(0, 4).Draw(t, "tagged") == 0 {
		tags.Set(uint32(rapid.IntRange(100, 1<<20).Draw(t, "tag")), blobs.Draw(t, "value"))
	}
}
