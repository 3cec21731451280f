package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/record"
)

// The leader stamps its epoch and the offset into what clients wrote; both lie
// outside the CRC.
func TestItem27_LeaderEpochIsStamped(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	sent := batch(t, "v")
	sent.Stamp(77, 99)
	c := n.client(t)
	produced(c, produceTo(9, -1, "t", [16]byte{}, 0, batch(t, "first")))
	if got := produced(c, produceTo(9, -1, "t", [16]byte{}, 0, sent)); got.ErrorCode != 0 || got.BaseOffset != 1 {
		t.Fatalf("%+v", got)
	}
	stored, _, err := record.Next(fetched(c, fetchFrom(11, "t", [16]byte{}, 1)).RecordBatches)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := n.set.Partition("t", 0)
	if _, epoch := p.Leader(); stored.LeaderEpoch() != epoch || stored.BaseOffset() != 1 {
		t.Errorf("stored with epoch %d at %d, the leader's is %d", stored.LeaderEpoch(), stored.BaseOffset(), epoch)
	}
	if err := stored.Check(); err != nil {
		t.Error(err)
	}
}

// A partition that a request names twice is appended to twice, in the order of
// the request, and answered twice: no acked record is dropped for another.
func TestItem33_APartitionTwiceInARequest(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	for _, acks := range []int16{1, -1} {
		req := produceTo(9, acks, "t", [16]byte{}, 0, batch(t, "a"))
		again := kmsg.ProduceRequestTopicPartition{Partition: 0, Records: batch(t, "b")}
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, again)
		req.Topics = append(req.Topics, kmsg.ProduceRequestTopic{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch(t, "c")}}})
		resp := ask[*kmsg.ProduceResponse](n.client(t), req)
		var got []int64
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				if p.ErrorCode != 0 {
					t.Fatalf("%+v", p)
				}
				got = append(got, p.BaseOffset%3)
			}
		}
		if !slices.Equal(got, []int64{0, 1, 2}) {
			t.Errorf("acks %d: offsets %v", acks, got)
		}
	}
	if v := values(t, fetched(n.client(t), fetchFrom(11, "t", [16]byte{}, 0)).RecordBatches); strings.Join(v, "") != "abcabc" {
		t.Errorf("the log has %q", v)
	}
}

// A producer that comes with a new epoch begins at sequence 0; anything else
// would hide that records of it were lost.
func TestItem37_ANewEpochBeginsAtSequenceZero(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	for _, step := range []struct {
		epoch    int16
		sequence int32
		want     *kerr.Error
	}{
		{0, 0, nil}, {0, 1, nil}, {1, 2, kerr.OutOfOrderSequenceNumber}, {1, 0, nil}, {1, 1, nil}, {0, 2, kerr.InvalidProducerEpoch},
	} {
		var b record.Builder
		b.SetProducer(7, step.epoch, step.sequence)
		b.Append(record.Record{Value: []byte("v")})
		built, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		want := int16(0)
		if step.want != nil {
			want = step.want.Code
		}
		if got := produced(c, produceTo(9, -1, "t", [16]byte{}, 0, built)).ErrorCode; got != want {
			t.Errorf("epoch %d, sequence %d: %v, want %v", step.epoch, step.sequence, kerr.ErrorForCode(got), step.want)
		}
	}
}

// KIP-595, at the API: who has another history is told where it parts from
// this one, and gets no records.
func TestItem60_DivergingEpochIsTold(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, "a", "b")
	n.elect(t, "t")
	n.append(t, "t", 0, "c")
	p, _ := n.set.Partition("t", 0)
	_, epoch := p.Leader()
	req := fetchFrom(16, "", n.topicID(t, "t"), 3)
	req.Topics[0].Partitions[0].LastFetchedEpoch = epoch - 1 // It ended at 2.
	got := fetched(n.client(t), req)
	if got.DivergingEpoch.Epoch != epoch-1 || got.DivergingEpoch.EndOffset != 2 || len(got.RecordBatches) != 0 {
		t.Errorf("%+v, want epoch %d to end at 2", got.DivergingEpoch, epoch-1)
	}
	req.Topics[0].Partitions[0].FetchOffset = 2
	if got := fetched(n.client(t), req); got.DivergingEpoch.Epoch != -1 || len(values(t, got.RecordBatches)) != 1 {
		t.Errorf("the same history: %+v", got)
	}
	t.Run("item 65: OffsetForLeaderEpoch of the same epochs", func(t *testing.T) {
		for asked, want := range map[int32][2]int64{epoch - 1: {int64(epoch) - 1, 2}, epoch: {int64(epoch), 3}, epoch + 1: {-1, -1}} {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			req.Version = 2 // librdkafka sends just this one
			part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			part.LeaderEpoch, part.CurrentLeaderEpoch = asked, epoch
			req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{part}}}
			got := ask[*kmsg.OffsetForLeaderEpochResponse](n.client(t), req).Topics[0].Partitions[0]
			if got.ErrorCode != 0 || got.EndOffset != want[1] || int64(got.LeaderEpoch) != want[0] {
				t.Errorf("epoch %d: %+v, want %v", asked, got, want)
			}
		}
	})
	t.Run("item 59: an old leader epoch is fenced", func(t *testing.T) {
		req := fetchFrom(16, "", n.topicID(t, "t"), 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch - 1
		resp := ask[*kmsg.FetchResponse](n.client(t), req)
		if got := resp.Topics[0].Partitions[0]; got.ErrorCode != kerr.FencedLeaderEpoch.Code || got.CurrentLeader.LeaderEpoch != epoch {
			t.Errorf("%v, leader hint %+v", kerr.ErrorForCode(got.ErrorCode), got.CurrentLeader)
		}
	})
}

// elect makes this broker the leader of a topic's partitions once more.
func (n *node) elect(t fatal, topic string) {
	t.Helper()
	n.decide(func(s controller.State) (records []metadata.Record) {
		known, _ := s.Image.Topic(topic)
		for index := range known.Partitions {
			records = append(records, &metadata.PartitionChange{Topic: known.ID, Index: int32(index), Leader: new(int32(1))})
		}
		return records
	})
}

// A reader who waits hears of everything that concerns it, not only of bytes.
func TestItem53_AWaitingFetchHearsOfAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, setup{})
		n.create(t, "t")
		c := n.client(t)
		req := fetchFrom(16, "", n.topicID(t, "t"), 0)
		req.MaxWaitMillis = 60_000
		id := c.send(req)
		synctest.Wait()
		begin := time.Now()
		n.decide(func(s controller.State) []metadata.Record {
			return []metadata.Record{&metadata.PartitionChange{Topic: n.topicID(t, "t"), Leader: new(metadata.NoLeader)}}
		})
		got := c.receive(req, id).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if got.ErrorCode != kerr.NotLeaderForPartition.Code || time.Since(begin) != 0 {
			t.Errorf("%v after %v", kerr.ErrorForCode(got.ErrorCode), time.Since(begin))
		}
	})
}

func TestItem87_ReplicasAssignedByHand(t *testing.T) {
	n := start(t, setup{others: []int32{2, 3}})
	c := n.client(t)
	create := func(name string, partitions int32, replicas int16, assignment ...[]int32) *kmsg.CreateTopicsRequest {
		req := createTopic(7, name, partitions, replicas)
		for index, brokers := range assignment {
			req.Topics[0].ReplicaAssignment = append(req.Topics[0].ReplicaAssignment,
				kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(index), Replicas: brokers})
		}
		return req
	}
	good := ask[*kmsg.CreateTopicsResponse](c, create("good", -1, -1, []int32{1, 2}, []int32{3, 1})).Topics[0]
	if good.ErrorCode != 0 || good.NumPartitions != 2 || good.ReplicationFactor != 2 {
		t.Fatalf("%+v", good)
	}
	if p, _ := n.images.Image().Partition("good", 1); !slices.Equal(p.Replicas, []int32{3, 1}) || p.Leader != 3 {
		t.Errorf("partition 1 stands on %v, led by %d", p.Replicas, p.Leader)
	}
	for name, req := range map[string]*kmsg.CreateTopicsRequest{
		"a broker twice":         create("a", -1, -1, []int32{1, 1}),
		"an unknown broker":      create("b", -1, -1, []int32{9}),
		"uneven":                 create("c", -1, -1, []int32{1}, []int32{1, 2}),
		"an empty list":          create("d", -1, -1, []int32{}),
		"negative broker":        create("e", -1, -1, []int32{-1}),
		"beside a number of its": create("f", 2, -1, []int32{1}),
	} {
		got := ask[*kmsg.CreateTopicsResponse](c, req).Topics[0]
		if got.ErrorCode != kerr.InvalidReplicaAssignment.Code && got.ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("%s: %v", name, kerr.ErrorForCode(got.ErrorCode))
		}
	}
	t.Run("item 92: CreatePartitions with assignments", func(t *testing.T) {
		more := func(count int32, assignment ...[]int32) int16 {
			req := kmsg.NewPtrCreatePartitionsRequest()
			req.Version, req.TimeoutMillis = 3, 1000
			topic := kmsg.CreatePartitionsRequestTopic{Topic: "good", Count: count}
			for _, brokers := range assignment {
				topic.Assignment = append(topic.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: brokers})
			}
			req.Topics = []kmsg.CreatePartitionsRequestTopic{topic}
			return ask[*kmsg.CreatePartitionsResponse](c, req).Topics[0].ErrorCode
		}
		if got := more(3, []int32{2, 3}); got != 0 {
			t.Fatal(kerr.ErrorForCode(got))
		}
		if p, _ := n.images.Image().Partition("good", 2); !slices.Equal(p.Replicas, []int32{2, 3}) {
			t.Errorf("partition 2 stands on %v", p.Replicas)
		}
		for name, got := range map[string]int16{
			"too few": more(5, []int32{1, 2}), "uneven": more(4, []int32{1}), "a broker twice": more(4, []int32{1, 1}), "unknown": more(4, []int32{1, 9}),
		} {
			if got != kerr.InvalidReplicaAssignment.Code {
				t.Errorf("%s: %v", name, kerr.ErrorForCode(got))
			}
		}
		for name, got := range map[string]int16{"shrinks": more(1), "stays": more(3), "none": more(0), "negative": more(-1)} {
			if got != kerr.InvalidPartitions.Code {
				t.Errorf("%s: %v", name, kerr.ErrorForCode(got))
			}
		}
	})
}

// A topic that was created anew is another one to whoever goes by id.
func TestItem89_ATopicCreatedAnewHasANewID(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, "old")
	c, old := n.client(t), n.topicID(t, "t")
	gone := kmsg.NewPtrDeleteTopicsRequest()
	gone.Version, gone.TimeoutMillis, gone.Topics = 6, 1000, []kmsg.DeleteTopicsRequestTopic{{TopicID: old}}
	if got := ask[*kmsg.DeleteTopicsResponse](c, gone).Topics[0]; got.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(got.ErrorCode))
	}
	n.create(t, "t")
	if n.topicID(t, "t") == old {
		t.Fatal("the id is the old one")
	}
	if got := fetched(c, fetchFrom(13, "", old, 0)).ErrorCode; got != kerr.UnknownTopicID.Code {
		t.Errorf("a fetch by the old id: %v", kerr.ErrorForCode(got))
	}
	if got := produced(c, produceTo(13, 1, "", old, 0, batch(t, "v"))).ErrorCode; got != kerr.UnknownTopicID.Code {
		t.Errorf("a produce by the old id: %v", kerr.ErrorForCode(got))
	}
	byID := kmsg.NewPtrMetadataRequest()
	byID.Version, byID.Topics = 12, []kmsg.MetadataRequestTopic{{TopicID: old}}
	if got := named(ask[*kmsg.MetadataResponse](c, byID)); got != "-:UNKNOWN_TOPIC_ID" {
		t.Errorf("metadata of the old id: %s", got)
	}
	if got := fetched(c, fetchFrom(12, "t", [16]byte{}, 0)); got.HighWatermark != 0 {
		t.Errorf("the new topic has records up to %d", got.HighWatermark)
	}
}

func describe(c *client, kind kmsg.ConfigResourceType, name string, keys ...string) map[string]kmsg.DescribeConfigsResponseResourceConfig {
	c.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version, req.IncludeSynonyms, req.IncludeDocumentation = 4, true, true
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name, ConfigNames: keys}}
	r := ask[*kmsg.DescribeConfigsResponse](c, req).Resources[0]
	if r.ErrorCode != 0 {
		c.t.Fatal(kerr.ErrorForCode(r.ErrorCode))
	}
	all := map[string]kmsg.DescribeConfigsResponseResourceConfig{}
	for _, cfg := range r.Configs {
		all[cfg.Name] = cfg
	}
	return all
}

// operate alters one config and returns the code.
func operate(c *client, kind kmsg.ConfigResourceType, name string, ops ...kmsg.IncrementalAlterConfigsRequestResourceConfig) int16 {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: ops}}
	return ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0].ErrorCode
}

func set(name, value string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
	return kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: kmsg.IncrementalAlterConfigOpSet, Value: &value}
}

func TestItem90_SynonymsComeInTheirOrder(t *testing.T) {
	n := start(t, setup{static: map[string]string{"log.retention.hours": "24"}})
	n.create(t, "t")
	c := n.client(t)
	topic, broker := kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	for _, step := range []int16{
		operate(c, topic, "t", set("retention.ms", "1")), operate(c, broker, "1", set("log.retention.ms", "2")), operate(c, broker, "", set("log.retention.ms", "3")),
	} {
		if step != 0 {
			t.Fatal(kerr.ErrorForCode(step))
		}
	}
	cfg := describe(c, topic, "t", "retention.ms")["retention.ms"]
	var got []string
	for _, s := range cfg.ConfigSynonyms {
		got = append(got, fmt.Sprintf("%s=%s from %v", s.Name, *s.Value, s.Source))
	}
	want := []string{
		"retention.ms=1 from DYNAMIC_TOPIC_CONFIG", "log.retention.ms=2 from DYNAMIC_BROKER_CONFIG",
		"log.retention.ms=3 from DYNAMIC_DEFAULT_BROKER_CONFIG", "log.retention.hours=24 from STATIC_BROKER_CONFIG",
		"log.retention.hours=168 from DEFAULT_CONFIG",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if *cfg.Value != "1" || cfg.Source != kmsg.ConfigSourceDynamicTopicConfig || cfg.ConfigType != kmsg.ConfigTypeLong {
		t.Errorf("%+v", cfg)
	}
}

// Every config of every resource has its documentation, type and source.
func TestItem90_EveryConfigIsDocumented(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c := n.client(t)
	for kind, name := range map[kmsg.ConfigResourceType]string{
		kmsg.ConfigResourceTypeTopic: "t", kmsg.ConfigResourceTypeBroker: "1", kmsg.ConfigResourceTypeGroupConfig: "g",
	} {
		all := describe(c, kind, name)
		if len(all) < 2 {
			t.Errorf("%v: %d configs", kind, len(all))
		}
		for _, cfg := range all {
			if cfg.Documentation == nil || *cfg.Documentation == "" || cfg.ConfigType == 0 || cfg.Source == 0 {
				t.Errorf("%v: %+v", kind, cfg)
			}
			if cfg.IsSensitive && cfg.Value != nil {
				t.Errorf("%s shows its value", cfg.Name)
			}
		}
	}
}

func TestItem91_OperationsOnConfigs(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	c, topic := n.client(t), kmsg.ConfigResourceTypeTopic
	op := func(name string, op kmsg.IncrementalAlterConfigOp, value *string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
		return kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: op, Value: value}
	}
	const (
		remove   = kmsg.IncrementalAlterConfigOpDelete
		add      = kmsg.IncrementalAlterConfigOpAppend
		subtract = kmsg.IncrementalAlterConfigOpSubtract
	)
	for _, test := range []struct {
		name   string
		ops    []kmsg.IncrementalAlterConfigsRequestResourceConfig
		want   *kerr.Error
		key    string
		become string
	}{
		{"set", []kmsg.IncrementalAlterConfigsRequestResourceConfig{set("retention.ms", "5")}, nil, "retention.ms", "5"},
		{"append", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("cleanup.policy", add, new("compact"))}, nil, "cleanup.policy", "delete,compact"},
		{"append what is there", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("cleanup.policy", add, new("compact"))}, nil, "cleanup.policy", "delete,compact"},
		{"subtract", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("cleanup.policy", subtract, new("delete"))}, nil, "cleanup.policy", "compact"},
		{"delete", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("retention.ms", remove, nil)}, nil, "retention.ms", "604800000"},
		{"twice", []kmsg.IncrementalAlterConfigsRequestResourceConfig{set("retention.ms", "6"), op("retention.ms", remove, nil)}, kerr.InvalidRequest, "retention.ms", "604800000"},
		{"append to a number", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("retention.ms", add, new("6"))}, kerr.InvalidConfig, "retention.ms", "604800000"},
		{"no value", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("retention.ms", 0, nil)}, kerr.InvalidRequest, "retention.ms", "604800000"},
		{"unknown operation", []kmsg.IncrementalAlterConfigsRequestResourceConfig{op("retention.ms", 7, new("6"))}, kerr.InvalidRequest, "retention.ms", "604800000"},
		{"unknown config", []kmsg.IncrementalAlterConfigsRequestResourceConfig{set("retention.msec", "6")}, kerr.InvalidConfig, "retention.ms", "604800000"},
		{"one of two is bad", []kmsg.IncrementalAlterConfigsRequestResourceConfig{set("retention.ms", "6"), set("segment.bytes", "no")}, kerr.InvalidConfig, "retention.ms", "604800000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if got := operate(c, topic, "t", test.ops...); got != want {
				t.Errorf("%v, want %v", kerr.ErrorForCode(got), test.want)
			}
			if got := *describe(c, topic, "t", test.key)[test.key].Value; got != test.become {
				t.Errorf("%s is %s, want %s", test.key, got, test.become)
			}
		})
	}
	t.Run("a resource twice", func(t *testing.T) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: topic, ResourceName: "t", Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{set("retention.ms", "6")}}
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{r, r}
		for _, r := range ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources {
			if r.ErrorCode != kerr.InvalidRequest.Code {
				t.Errorf("%v", kerr.ErrorForCode(r.ErrorCode))
			}
		}
	})
}

// Every broker answers for its own directories, for all topics or those named.
func TestItem96_LogDirsOfNamedTopics(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "a", "b")
	n.append(t, "b", 0, "v")
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 4
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "b", Partitions: []int32{0}}, {Topic: "c", Partitions: []int32{0}}}
	dir := ask[*kmsg.DescribeLogDirsResponse](n.client(t), req).Dirs[0]
	if dir.ErrorCode != 0 || len(dir.Topics) != 1 || dir.Topics[0].Topic != "b" || dir.Topics[0].Partitions[0].Size == 0 {
		t.Errorf("%+v", dir)
	}
}
