package wire

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// flatProduce rebuilds kmsg's value from our cursor.
func flatProduce(p *ProduceRequest) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = p.Version, p.Acks, p.TimeoutMillis
	if p.Transactional {
		req.TransactionID = &p.TransactionalID
	}
	for p.NextTopic() {
		topic := kmsg.NewProduceRequestTopic()
		topic.Topic, topic.TopicID = p.Topic, p.TopicID
		for p.NextPartition() {
			part := kmsg.NewProduceRequestTopicPartition()
			part.Partition, part.Records = p.Partition, p.Records
			topic.Partitions = append(topic.Partitions, part)
		}
		req.Topics = append(req.Topics, topic)
	}
	return req
}

// flatFetch rebuilds kmsg's value from our cursor.
func flatFetch(f *FetchRequest) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = f.Version, f.MaxWaitMillis, f.MinBytes, f.MaxBytes
	req.IsolationLevel, req.Rack = f.IsolationLevel, f.Rack
	if f.Version <= 14 {
		req.ReplicaID = f.ReplicaID
	} else {
		req.ReplicaState.ID, req.ReplicaState.Epoch = f.ReplicaID, f.ReplicaEpoch
	}
	if f.Version >= 7 {
		req.SessionID, req.SessionEpoch = f.SessionID, f.SessionEpoch
	}
	for f.NextTopic() {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic, topic.TopicID = f.Topic, f.TopicID
		for f.NextPartition() {
			topic.Partitions = append(topic.Partitions, kmsg.FetchRequestTopicPartition{
				Partition: f.Partition, CurrentLeaderEpoch: f.CurrentLeaderEpoch, FetchOffset: f.FetchOffset,
				LastFetchedEpoch: f.LastFetchedEpoch, LogStartOffset: f.LogStartOffset, PartitionMaxBytes: f.FetchPartition.MaxBytes,
				ReplicaDirectoryID: f.ReplicaDirectoryID, HighWatermark: f.HighWatermark,
			})
		}
		req.Topics = append(req.Topics, topic)
	}
	for f.NextForgottenTopic() {
		topic := kmsg.NewFetchRequestForgottenTopic()
		topic.Topic, topic.TopicID = f.Topic, f.TopicID
		for f.NextForgottenPartition() {
			topic.Partitions = append(topic.Partitions, f.Partition)
		}
		req.ForgottenTopics = append(req.ForgottenTopics, topic)
	}
	return req
}

// same compares what both codecs read, but for tags that neither knows and
// the cluster id, which kmsg keeps as a pointer.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.IgnoreTypes(kmsg.Tags{}),
	cmpopts.IgnoreFields(kmsg.FetchRequest{}, "ClusterID"),
}

func TestProduceRequestReadsWhatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int16Range(MinProduce, MaxProduce).Draw(t, "version")
		want := drawProduceRequest(t, version)
		var got ProduceRequest
		if err := got.Decode(version, want.AppendTo(nil)); err != nil {
			t.Fatalf("v%d: %v", version, err)
		}
		partitions := 0
		for _, topic := range want.Topics {
			partitions += len(topic.Partitions)
		}
		if got.Topics != len(want.Topics) || got.Partitions != partitions {
			t.Fatalf("counted %d topics and %d partitions, want %d and %d", got.Topics, got.Partitions, len(want.Topics), partitions)
		}
		if diff := cmp.Diff(want, flatProduce(&got), same); diff != "" {
			t.Fatalf("v%d (-kmsg +wire)\n%s", version, diff)
		}
	})
}

func TestFetchRequestReadsWhatKmsgWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int16Range(MinFetch, MaxFetch).Draw(t, "version")
		want := drawFetchRequest(t, version)
		var got FetchRequest
		if err := got.Decode(version, want.AppendTo(nil)); err != nil {
			t.Fatalf("v%d: %v", version, err)
		}
		if want.ClusterID != nil && got.ClusterID != *want.ClusterID {
			t.Fatalf("cluster id %q, want %q", got.ClusterID, *want.ClusterID)
		}
		if diff := cmp.Diff(want, flatFetch(&got), same); diff != "" {
			t.Fatalf("v%d (-kmsg +wire)\n%s", version, diff)
		}
	})
}

// A null records field and an empty one are told apart: a client that sends
// neither batch gets another answer than one that sends none.
func TestProduceRequestKeepsNullRecords(t *testing.T) {
	for version := int16(MinProduce); version <= MaxProduce; version++ {
		req := kmsg.NewPtrProduceRequest()
		req.Version = version
		req.Topics = []kmsg.ProduceRequestTopic{{Partitions: []kmsg.ProduceRequestTopicPartition{{Records: nil}, {Records: []byte{}}}}}
		var got ProduceRequest
		if err := got.Decode(version, req.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		got.NextTopic()
		if got.NextPartition(); got.Records != nil {
			t.Errorf("v%d: null came back as empty", version)
		}
		if got.NextPartition(); got.Records == nil {
			t.Errorf("v%d: empty came back as null", version)
		}
	}
}

// The forgotten topics are reached without walking the others.
func TestFetchRequestSkipsToForgotten(t *testing.T) {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 12
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "a", Partitions: []kmsg.FetchRequestTopicPartition{{Partition: 1}}}}
	req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "b", Partitions: []int32{7}}}
	var got FetchRequest
	if err := got.Decode(12, req.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if !got.NextForgottenTopic() || got.Topic != "b" || !got.NextForgottenPartition() || got.Partition != 7 {
		t.Fatalf("found %q %d, want b 7", got.Topic, got.Partition)
	}
	if got.NextTopic() {
		t.Fatal("a topic to fetch came after the forgotten ones")
	}
}

func TestMalformedRequests(t *testing.T) {
	huge := []byte{0x7f, 0xff, 0xff, 0xff}
	produce := func(b ...byte) []byte { return append([]byte{0xff, 0xff, 0, 1, 0, 0, 0, 0}, b...) } // v3: null id, acks, timeout
	fetch := make([]byte, 4+4+4+4+1)                                                                // v4: up to the topics
	longVarint := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0x01}
	for _, test := range []struct {
		name    string
		key     int16
		version int16
		body    []byte
	}{
		{"W10 produce array of 2^31-1 topics", KeyProduce, 3, produce(huge...)},
		{"W10 fetch array of 2^31-1 topics", KeyFetch, 4, append(fetch, huge...)},
		{"W10 produce varint above 5 bytes", KeyProduce, 9, longVarint},
		{"W10 fetch varint above 5 bytes", KeyFetch, 12, append(fetch[:17:17], append(make([]byte, 8), longVarint...)...)},
		{"W10 produce tags of 2^32-1", KeyProduce, 9, []byte{0, 0, 1, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"W11 produce array length -2", KeyProduce, 3, produce(0xff, 0xff, 0xff, 0xfe)},
		{"W11 fetch array length -2", KeyFetch, 4, append(fetch[:17:17], 0xff, 0xff, 0xff, 0xfe)},
		{"W11 produce bytes length -2", KeyProduce, 3, produce(0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe)},
		{"empty produce", KeyProduce, 3, nil},
		{"empty fetch", KeyFetch, 4, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := decodeHot(test.key, test.version, test.body)
			var malformed *MalformedError
			if !errors.Is(err, ErrMalformed) || !errors.As(err, &malformed) {
				t.Fatalf("got %v, want ErrMalformed", err)
			}
			if malformed.Key != test.key || malformed.Version != test.version || malformed.What == "" {
				t.Errorf("the error does not say what it is about: %+v", malformed)
			}
		})
	}
}

func decodeHot(key, version int16, body []byte) error {
	if key == KeyProduce {
		var req ProduceRequest
		return req.Decode(version, body)
	}
	var req FetchRequest
	return req.Decode(version, body)
}

// Whatever a frame claims to hold, a decoder of the hot path allocates
// nothing, and so stays far below eight times the frame.
func TestDecodeAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	produce, fetch := benchProduce(13, 10, 10, 1024), benchFetch(18, 10, 10)
	var p ProduceRequest
	var f FetchRequest
	for name, run := range map[string]func(){
		"produce": func() {
			if p.Decode(13, produce) != nil {
				t.Fatal("produce does not decode")
			}
			for p.NextTopic() {
				for p.NextPartition() {
				}
			}
		},
		"fetch": func() {
			if f.Decode(18, fetch) != nil {
				t.Fatal("fetch does not decode")
			}
			for f.NextTopic() {
				for f.NextPartition() {
				}
			}
		},
	} {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations per request, want 0", name, n)
		}
	}
}

func TestFetchDefaults(t *testing.T) {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 4
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{{}}}}
	var got FetchRequest
	if err := got.Decode(4, req.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if got.SessionEpoch != -1 || got.SessionID != 0 {
		t.Errorf("v4 has session %d epoch %d, want 0 and -1", got.SessionID, got.SessionEpoch)
	}
	got.NextTopic()
	got.NextPartition()
	if got.CurrentLeaderEpoch != -1 || got.LastFetchedEpoch != -1 || got.LogStartOffset != -1 || got.HighWatermark != math.MaxInt64 {
		t.Errorf("fields that v4 does not have: %+v", got.FetchPartition)
	}
}
