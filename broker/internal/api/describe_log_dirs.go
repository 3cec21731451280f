package api

import (
	"path"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs (key 35, v1-5; KIP-113): how large the logs of this broker
// are, by data directory. Every broker answers for itself. Null topics ask for
// all. The sizes of the filesystem (KIP-827) are not known here: -1.

func (b *Broker) describeLogDirs(_ call, req *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	for _, dir := range b.DataDirs {
		d := kmsg.NewDescribeLogDirsResponseDir()
		d.Dir, d.TotalBytes, d.UsableBytes = dir, -1, -1
		d.Topics = b.logsIn(dir, req.Topics)
		resp.Dirs = append(resp.Dirs, d)
	}
	return resp
}

func (b *Broker) logsIn(dir string, wanted []kmsg.DescribeLogDirsRequestTopic) []kmsg.DescribeLogDirsResponseDirTopic {
	var topics []kmsg.DescribeLogDirsResponseDirTopic
	for p := range b.Replicas.All() {
		if path.Dir(p.Log().Dir()) != path.Clean(dir) || !asked(wanted, p.Topic(), p.Index()) {
			continue
		}
		part := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		part.Partition, part.Size, part.OffsetLag = p.Index(), p.Size(), 0
		if n := len(topics); n == 0 || topics[n-1].Topic != p.Topic() {
			topic := kmsg.NewDescribeLogDirsResponseDirTopic()
			topic.Topic = p.Topic()
			topics = append(topics, topic)
		}
		last := &topics[len(topics)-1]
		last.Partitions = append(last.Partitions, part)
	}
	return topics
}

func asked(wanted []kmsg.DescribeLogDirsRequestTopic, topic string, index int32) bool {
	if wanted == nil {
		return true
	}
	return slices.ContainsFunc(wanted, func(t kmsg.DescribeLogDirsRequestTopic) bool {
		return t.Topic == topic && slices.Contains(t.Partitions, index)
	})
}
