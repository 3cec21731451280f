package wire

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func benchProduce(version int16, topics, partitions, size int) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, -1, 30000
	for i := range topics {
		topic := kmsg.NewProduceRequestTopic()
		if version >= 13 {
			topic.TopicID = [16]byte{byte(i + 1)}
		} else {
			topic.Topic = fmt.Sprint("topic-", i)
		}
		for j := range partitions {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = int32(j), make([]byte, size)
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
	}
	return req.AppendTo(nil)
}

func benchFetch(version int16, topics, partitions int) []byte {
	req := kmsg.NewPtrFetchRequest()
	req.Version = version
	for i := range topics {
		topic, gone := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestForgottenTopic()
		if version >= 13 {
			topic.TopicID, gone.TopicID = [16]byte{byte(i + 1)}, [16]byte{byte(i + 1)}
		} else {
			topic.Topic, gone.Topic = fmt.Sprint("topic-", i), fmt.Sprint("gone-", i)
		}
		for j := range partitions {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.FetchOffset, p.PartitionMaxBytes = int32(j), 1000, 1<<20
			topic.Partitions = append(topic.Partitions, p)
			gone.Partitions = append(gone.Partitions, int32(j))
		}
		req.Topics = append(req.Topics, topic)
		req.ForgottenTopics = append(req.ForgottenTopics, gone)
	}
	return req.AppendTo(nil)
}

func BenchmarkProduceRequest(b *testing.B) {
	for _, version := range []int16{9, 13} {
		for _, shape := range []struct{ topics, partitions, size int }{{1, 1, 16 << 10}, {10, 10, 1 << 10}} {
			body := benchProduce(version, shape.topics, shape.partitions, shape.size)
			name := fmt.Sprintf("v%d/%dx%d", version, shape.topics, shape.partitions)
			b.Run(name+"/wire", func(b *testing.B) {
				b.ReportAllocs()
				var req ProduceRequest
				for b.Loop() {
					if err := req.Decode(version, body); err != nil {
						b.Fatal(err)
					}
					for req.NextTopic() {
						for req.NextPartition() {
						}
					}
				}
			})
			b.Run(name+"/kmsg", func(b *testing.B) {
				b.ReportAllocs()
				req := kmsg.NewPtrProduceRequest()
				for b.Loop() {
					req.Version = version
					if err := req.UnsafeReadFrom(body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkFetchRequest(b *testing.B) {
	for _, version := range []int16{4, 12, 18} {
		body := benchFetch(version, 10, 10)
		b.Run(fmt.Sprintf("v%d/10x10/wire", version), func(b *testing.B) {
			b.ReportAllocs()
			var req FetchRequest
			for b.Loop() {
				if err := req.Decode(version, body); err != nil {
					b.Fatal(err)
				}
				for req.NextTopic() {
					for req.NextPartition() {
					}
				}
			}
		})
		b.Run(fmt.Sprintf("v%d/10x10/kmsg", version), func(b *testing.B) {
			b.ReportAllocs()
			req := kmsg.NewPtrFetchRequest()
			for b.Loop() {
				req.Version = version
				if err := req.UnsafeReadFrom(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkProduceResponse(b *testing.B) {
	b.ReportAllocs()
	resp := ProduceResponse(11)
	part := ProducePartition{LogAppendTime: -1, Leader: NoLeader}
	var dst []byte
	for b.Loop() {
		dst = resp.Begin(dst[:0], 1)
		dst = resp.Topic(dst, "topic-0", [16]byte{}, 10)
		for range 10 {
			dst = resp.Partition(dst, &part)
		}
		dst = resp.EndTopic(dst)
		dst = resp.End(dst, 0, nil)
	}
}

func BenchmarkFetchResponse(b *testing.B) {
	b.ReportAllocs()
	resp := FetchResponse(16)
	part := FetchedPartition{PreferredReadReplica: -1, DivergingEpoch: -1, DivergingEnd: -1, Leader: NoLeader}
	var dst []byte
	for b.Loop() {
		dst = resp.Begin(dst[:0], 0, 0, 1, 1)
		dst = resp.Topic(dst, "", [16]byte{1}, 10)
		for range 10 {
			dst = resp.Partition(dst, &part, 0)
			dst = resp.EndPartition(dst, &part)
		}
		dst = resp.EndTopic(dst)
		dst = resp.End(dst, nil)
	}
}
