package api

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/server"
	"github.com/millrace-io/millrace/broker/internal/wire"
	"github.com/millrace-io/millrace/internal/record"
)

// A batch is appended and acked at every version, by name and by id.
func TestProduceAtEveryVersion(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c, id := n.client(t), n.topicID(t, "t")
	next := int64(0)
	for version := int16(wire.MinProduce); version <= wire.MaxProduce; version++ {
		for _, acks := range []int16{1, -1} {
			got := produced(c, produceTo(version, acks, "t", id, 0, batch(t, "a", "b")))
			if got.ErrorCode != 0 || got.BaseOffset != next || got.LogAppendTime != -1 {
				t.Fatalf("v%d acks %d: %+v, want offset %d", version, acks, got, next)
			}
			next += 2
		}
	}
}

// Item 2 and DESIGN: acks=all waits for the flush, acks=1 for the append only,
// and the waits of several requests share a flush.
func TestItem2_ProduceWaitsForTheFlushAndShareIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		n.holdFlushes()
		c := n.client(t)
		one := produceTo(9, 1, "t", [16]byte{}, 0, batch(t, "one"))
		if got := produced(c, one); got.ErrorCode != 0 {
			t.Fatalf("acks=1 waits for a flush that does not come: %+v", got)
		}
		all := produceTo(9, -1, "t", [16]byte{}, 0, batch(t, "all"))
		first, second := c.send(all), c.send(all)
		synctest.Wait()
		p, _ := n.set.Partition("t", 0)
		if p.LogEnd() != 3 || p.HighWatermark() != 0 {
			t.Fatalf("%v, want three records appended and none committed", p)
		}
		n.flush()
		for i, id := range []int32{first, second} {
			resp := c.receive(all, id).(*kmsg.ProduceResponse)
			if got := resp.Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != int64(1+i) {
				t.Errorf("reply %d: %+v", i, got)
			}
		}
	})
}

// Item 30: the wait for acks=all ends at the request's timeout, and the record
// may still be committed afterwards.
func TestItem30_ProduceTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		n.holdFlushes()
		req := produceTo(9, -1, "t", [16]byte{}, 0, batch(t, "v"))
		req.TimeoutMillis = 1500
		begin := time.Now()
		got := produced(n.client(t), req)
		if took := time.Since(begin); got.ErrorCode != kerr.RequestTimedOut.Code || took != 1500*time.Millisecond {
			t.Errorf("after %v: %+v, want REQUEST_TIMED_OUT after 1.5 s", took, got)
		}
	})
}

// What waits when its topic is deleted is answered, not left.
func TestProduceOfADeletedTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		n.holdFlushes()
		c := n.client(t)
		req := produceTo(9, -1, "t", [16]byte{}, 0, batch(t, "v"))
		id := c.send(req)
		synctest.Wait()
		if _, err := n.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "t"}}); err != nil {
			t.Fatal(err)
		}
		got := c.receive(req, id).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if got.ErrorCode != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("%v, want UNKNOWN_TOPIC_OR_PARTITION", kerr.ErrorForCode(got.ErrorCode))
		}
	})
}

func corrupt(b record.Batch) []byte {
	b = slices.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

// sealed changes a batch's header and computes its CRC anew.
func sealed(b record.Batch, change func(record.Batch)) []byte {
	b = slices.Clone(b)
	change(b)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func length(b record.Batch, n int32) []byte {
	b = slices.Clone(b)
	binary.BigEndian.PutUint32(b[8:], uint32(n))
	return b
}

// Bad batches: each is refused with its code, and nothing of it is in the log.
func TestBadBatches(t *testing.T) {
	good := batch(t, "a", "b", "c")
	put32 := func(at int, v int32) func(record.Batch) {
		return func(b record.Batch) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
	}
	for _, test := range []struct {
		name    string
		acks    int16
		records []byte
		want    *kerr.Error
	}{
		{"item 16, B1: CRC mismatch", -1, corrupt(good), kerr.CorruptMessage},
		{"item 17, B2: magic 0", -1, func() []byte { b := slices.Clone(good); b[16] = 0; return b }(), kerr.InvalidRecord},
		{"item 17, B2: magic 1", -1, func() []byte { b := slices.Clone(good); b[16] = 1; return b }(), kerr.InvalidRecord},
		{"B2 short message of format 1", -1, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 1, 2, 3, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, kerr.InvalidRecord},
		{"item 18, B3, B18: count 0", -1, sealed(good, put32(57, 0)), kerr.InvalidRecord},
		{"item 18, B3: count negative", -1, sealed(good, put32(57, -1)), kerr.InvalidRecord},
		{"item 18, B3: last offset delta off by one", -1, sealed(good, put32(23, 3)), kerr.InvalidRecord},
		{"item 18, B3: count is not the number of records", -1, sealed(good, func(b record.Batch) { put32(57, 4)(b); put32(23, 3)(b) }), kerr.InvalidRecord},
		{"B4 length beyond the records", -1, length(good, int32(len(good))), kerr.CorruptMessage},
		{"B4 length below 49", -1, length(good, 48), kerr.CorruptMessage},
		{"B4 length negative", -1, length(good, -1), kerr.CorruptMessage},
		{"item 15, B5: two batches", -1, append(slices.Clone([]byte(good)), good...), kerr.InvalidRecord},
		{"B9 above max.message.bytes", -1, batch(t, string(make([]byte, 2000))), kerr.MessageTooLarge},
		{"item 28, W23: acks 5", 5, good, kerr.InvalidRequiredAcks},
		{"item 28, W23: acks -2", -2, good, kerr.InvalidRequiredAcks},
		{"item 15: no records", -1, []byte{}, kerr.InvalidRecord},
		{"item 15: null records", -1, nil, kerr.InvalidRecord},
		{"item 19: control batch from a client", -1, sealed(good, func(b record.Batch) { b[22] |= 0x20 }), kerr.InvalidRecord},
		{"item 20: producer without a sequence", -1, sealed(good, func(b record.Batch) {
			binary.BigEndian.PutUint64(b[43:], 7) // producer id
			binary.BigEndian.PutUint16(b[51:], 0) // epoch
			put32(53, -1)(b)
		}), kerr.InvalidRecord},
		{"B7 codec 7", -1, sealed(good, func(b record.Batch) { b[22] |= 7 }), kerr.UnsupportedCompressionType},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := start(t, setup{})
			limit := "1000"
			n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 1, Replicas: 1, Configs: []controller.Config{{Name: "max.message.bytes", Value: &limit}}})
			got := produced(n.client(t), produceTo(9, test.acks, "t", [16]byte{}, 0, test.records))
			if got.ErrorCode != test.want.Code || got.BaseOffset != -1 {
				t.Errorf("%v at offset %d, want %v", kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, test.want)
			}
			if got.ErrorMessage == nil || *got.ErrorMessage == "" {
				t.Error("the answer does not say what is wrong")
			}
			if p, _ := n.set.Partition("t", 0); p.LogEnd() != 0 {
				t.Errorf("the log ends at %d", p.LogEnd())
			}
			if n.failed[[2]int16{0, test.want.Code}] != 1 {
				t.Errorf("not counted: %v", n.failed)
			}
		})
	}
}

func TestItem22_ZstdNeedsV7(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	var b record.Builder
	b.SetCodec(record.Zstd)
	b.Append(record.Record{Value: []byte("value")})
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int16]int16{6: kerr.UnsupportedCompressionType.Code, 7: 0} {
		if got := produced(n.client(t), produceTo(version, 1, "t", [16]byte{}, 0, built)); got.ErrorCode != want {
			t.Errorf("v%d: %v", version, kerr.ErrorForCode(got.ErrorCode))
		}
	}
}

// Each partition is answered for itself: what is wrong with one does not keep
// the others from being appended.
func TestItem31_ProduceIsPerPartition(t *testing.T) {
	n := start(t, setup{others: []int32{2}})
	n.create(t, "here")
	n.createTopic(t, controller.NewTopic{Name: "there", Partitions: -1, Replicas: -1, Assignment: []controller.Replicas{{Partition: 0, Brokers: []int32{2}}}})
	req := produceTo(10, -1, "here", [16]byte{}, 0, batch(t, "v"))
	req.Topics[0].Partitions = append(req.Topics[0].Partitions,
		kmsg.ProduceRequestTopicPartition{Partition: 7, Records: batch(t, "v")})
	for _, name := range []string{"there", "nowhere", "no/name", offsetsTopic} {
		req.Topics = append(req.Topics, kmsg.ProduceRequestTopic{Topic: name, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch(t, "v")}}})
	}
	resp := ask[*kmsg.ProduceResponse](n.client(t), req)
	var got []string
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			got = append(got, fmt.Sprintf("%s-%d %v", topic.Topic, p.Partition, kerr.TypedErrorForCode(p.ErrorCode)))
		}
	}
	want := []string{
		"here-0 <nil>",
		"here-7 " + kerr.UnknownTopicOrPartition.Error(),
		"there-0 " + kerr.NotLeaderForPartition.Error(),
		"nowhere-0 " + kerr.UnknownTopicOrPartition.Error(),
		"no/name-0 " + kerr.InvalidTopicException.Error(),
		offsetsTopic + "-0 " + kerr.UnknownTopicOrPartition.Error(),
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// KIP-951: the client learns whom to ask, by the address of its listener.
	if leader := resp.Topics[1].Partitions[0].CurrentLeader; leader.LeaderID != 2 {
		t.Errorf("the hint names leader %d, want 2", leader.LeaderID)
	}
	if len(resp.Brokers) != 1 || resp.Brokers[0].Host != "kafka-2.example.org" || resp.Brokers[0].Port != 9092 {
		t.Errorf("the hint's endpoints are %+v", resp.Brokers)
	}
}

func TestItem31_ProduceByUnknownID(t *testing.T) {
	n := start(t, setup{})
	got := produced(n.client(t), produceTo(13, 1, "", [16]byte{1, 2, 3}, 0, batch(t, "v")))
	if got.ErrorCode != kerr.UnknownTopicID.Code {
		t.Errorf("%v, want UNKNOWN_TOPIC_ID", kerr.ErrorForCode(got.ErrorCode))
	}
}

// Item 10: acks=0 has no response, and an error closes the connection.
func TestItem10_AcksZero(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	c.send(produceTo(9, 0, "t", [16]byte{}, 0, batch(t, "v")))
	if got := produced(c, produceTo(9, 1, "t", [16]byte{}, 0, batch(t, "v"))); got.BaseOffset != 1 {
		t.Fatalf("the next batch is at %d, want 1", got.BaseOffset)
	}
	c.send(produceTo(9, 0, "nowhere", [16]byte{}, 0, batch(t, "v")))
	c.closed()
}

// Topics with LogAppendTime answer the time of the append.
func TestItem24_LogAppendTime(t *testing.T) {
	n := start(t, setup{})
	kind := "LogAppendTime"
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 1, Replicas: 1, Configs: []controller.Config{{Name: "message.timestamp.type", Value: &kind}}})
	before := time.Now().UnixMilli()
	if got := produced(n.client(t), produceTo(9, -1, "t", [16]byte{}, 0, batch(t, "v"))); got.LogAppendTime < before {
		t.Errorf("log append time %d, want at least %d", got.LogAppendTime, before)
	}
}

// The answer names the records at fault from v8 on (KIP-467).
func TestItem21_B10_RecordErrors(t *testing.T) {
	n := start(t, setup{})
	compact := "compact"
	n.createTopic(t, controller.NewTopic{Name: "t", Partitions: 1, Replicas: 1, Configs: []controller.Config{{Name: "cleanup.policy", Value: &compact}}})
	c := n.client(t)
	var b record.Builder
	b.Append(record.Record{Value: []byte("a")})
	b.Append(record.Record{Value: []byte("b")})
	keyless, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for version := int16(wire.MinProduce); version <= wire.MaxProduce; version++ {
		got := produced(c, produceTo(version, -1, "t", n.topicID(t, "t"), 0, keyless))
		if got.ErrorCode != kerr.InvalidRecord.Code || got.BaseOffset != -1 {
			t.Errorf("v%d: %v at offset %d", version, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset)
		}
		switch {
		case version < 8:
		case got.ErrorMessage == nil || len(got.ErrorRecords) != 2:
			t.Errorf("v%d: %+v", version, got)
		case got.ErrorRecords[1].RelativeOffset != 1 || got.ErrorRecords[1].ErrorMessage == nil:
			t.Errorf("v%d: the second record's error is %+v", version, got.ErrorRecords[1])
		}
	}
}

func TestItem23_TimestampOutOfBounds(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	var b record.Builder
	b.Append(record.Record{Timestamp: time.Now().Add(-time.Hour).UnixMilli()})
	b.Append(record.Record{Timestamp: time.Now().Add(2 * time.Hour).UnixMilli()})
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	got := produced(n.client(t), produceTo(9, 1, "t", [16]byte{}, 0, built))
	if got.ErrorCode != kerr.InvalidTimestamp.Code || len(got.ErrorRecords) != 1 || got.ErrorRecords[0].RelativeOffset != 1 {
		t.Errorf("%v, records %+v", kerr.ErrorForCode(got.ErrorCode), got.ErrorRecords)
	}
}

// Items 34 to 37, at the level of the API.
func TestB12_Item34_Item35_Item36_IdempotentProduce(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.Version = 4
	ids := ask[*kmsg.InitProducerIDResponse](c, init)
	if ids.ErrorCode != 0 || ids.ProducerID < 0 || ids.ProducerEpoch != 0 {
		t.Fatalf("%+v", ids)
	}
	if again := ask[*kmsg.InitProducerIDResponse](c, init); again.ProducerID == ids.ProducerID {
		t.Fatalf("producer id %d was given twice", ids.ProducerID)
	}
	send := func(sequence int32) kmsg.ProduceResponseTopicPartition {
		var b record.Builder
		b.SetProducer(ids.ProducerID, ids.ProducerEpoch, sequence)
		b.Append(record.Record{Value: []byte("v")})
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return produced(c, produceTo(9, -1, "t", [16]byte{}, 0, built))
	}
	for _, step := range []struct {
		sequence int32
		code     int16
		offset   int64
	}{
		{0, 0, 0}, {1, 0, 1}, {1, 0, 1}, {0, 0, 0}, {5, kerr.OutOfOrderSequenceNumber.Code, -1}, {2, 0, 2},
	} {
		if got := send(step.sequence); got.ErrorCode != step.code || got.BaseOffset != step.offset {
			t.Fatalf("sequence %d: %v at %d, want %v at %d", step.sequence, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, kerr.ErrorForCode(step.code), step.offset)
		}
	}
}

// A frame of nothing but empty partitions does not make the reply grow beyond
// all bounds.
func TestProduceOfTooManyPartitions(t *testing.T) {
	n := start(t, setup{})
	req := produceTo(9, 1, "t", [16]byte{}, 0, nil)
	req.Topics[0].Partitions = make([]kmsg.ProduceRequestTopicPartition, maxProducePartitions+1)
	c := n.client(t)
	go func() { _, _ = c.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)) }()
	c.closed()
}

// Handling a Produce allocates nothing once the broker is warm.
func TestProduceAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop items under the race detector")
	}
	n := start(t, setup{})
	n.create(t, "t")
	// The flush would allocate: what waits for it expires instead.
	n.holdFlushes()
	body := produceTo(9, 1, "t", [16]byte{}, 0, batch(t, string(make([]byte, 1000)))).AppendTo(nil)
	frame := slices.Clone(body)
	waker, _ := server.NewWaker()
	req := server.Request{Header: wire.Header{Key: 0, Version: 9}, Waker: waker, Context: t.Context()}
	out := server.NewOut()
	round := func(acks int16) {
		copy(frame, body)
		binary.BigEndian.PutUint16(frame[1:], uint16(acks)) // After the null transactional id.
		req.Body, req.Received = frame, time.Now()
		reply, err := n.Broker.Serve(&req)
		if err != nil {
			t.Fatal(err)
		}
		if reply.Ready() != (acks == 1) {
			t.Fatalf("acks %d: ready %v", acks, reply.Ready())
		}
		reply.Expire()
		out.Reset()
		if err := reply.Encode(out); err != nil {
			t.Fatal(err)
		}
		reply.Release()
	}
	for _, acks := range []int16{1, -1} {
		for range 200 {
			round(acks)
		}
		if got := testing.AllocsPerRun(500, func() { round(acks) }); got >= 1 {
			t.Errorf("acks %d: %v allocations per request, want 0", acks, got)
		}
	}
}
