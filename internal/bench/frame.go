package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/internal/record"
)

// Versions of the requests that raw loads send: old enough for every server
// of the last eight years, new enough for record batches and zstd.
const (
	produceVersion = 8
	fetchVersion   = 11
)

const (
	keyProduce = 0
	keyFetch   = 1
)

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("millrace-bench"))

// payload fills a value with bytes that no codec can shrink, the same ones in
// every run.
func payload(n int) []byte {
	b := make([]byte, n)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(b) // never fails
	return b
}

// batchOf builds a batch of records of so many bytes that is as large as
// batchBytes allows, and says how many records it holds: at least one.
func batchOf(recordBytes, batchBytes int) (record.Batch, int, error) {
	var b record.Builder
	now := time.Now().UnixMilli()
	value := payload(recordBytes)
	const perRecord = 16 // at most: lengths, deltas, attributes
	for b.Len() == 0 || b.Size()+recordBytes+perRecord <= batchBytes {
		b.Append(record.Record{Timestamp: now, Value: value})
	}
	batch, err := b.Build()
	return batch, b.Len(), err
}

// produceFrame encodes a request of one batch for one partition. It can be
// sent any number of times.
func produceFrame(topic string, partition int32, acks int16, batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = produceVersion, acks, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return formatter.AppendRequest(nil, req, 1)
}

// produceError finds the error code in a response to a produceFrame:
// correlation id, count of topics, name, count of partitions, index, code.
func produceError(body []byte) error {
	if len(body) < 10 {
		return fmt.Errorf("response of %d bytes", len(body))
	}
	at := 4 + 4 + 2 + int(binary.BigEndian.Uint16(body[8:])) + 4 + 4
	if len(body) < at+2 {
		return fmt.Errorf("response of %d bytes", len(body))
	}
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(body[at:])))
}

// fetchFrame encodes a request for one partition, and says where in it the
// offset stands.
func fetchFrame(topic string, partition int32, maxBytes int32) (frame []byte, offsetAt int) {
	const marker = 0x0102030405060708
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = fetchVersion, 1000, 1, maxBytes
	req.SessionEpoch = -1 // no session
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.FetchOffset, p.PartitionMaxBytes = partition, -1, marker, maxBytes
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	frame = formatter.AppendRequest(nil, req, 1)
	for at := range len(frame) - 8 {
		if binary.BigEndian.Uint64(frame[at:]) == marker {
			return frame, at
		}
	}
	return frame, -1
}
