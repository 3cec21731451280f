package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func metadataFor(version int16, names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version, req.AllowAutoTopicCreation = version, true
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	return req
}

// named lists the topics of a response with their errors.
func named(resp *kmsg.MetadataResponse) string {
	var out []string
	for _, t := range resp.Topics {
		s := "-"
		if t.Topic != nil {
			s = *t.Topic
		}
		if t.ErrorCode != 0 {
			s += ":" + kerr.TypedErrorForCode(t.ErrorCode).Message
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// Item 14: which topics an empty and a null list ask for.
func TestItem14_MetadataOfAllOrNone(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "a", "b")
	for version := range int16(14) {
		empty, null := metadataFor(version), metadataFor(version)
		null.Topics = nil
		want := ""
		if version == 0 {
			want = "a b"
		}
		if got := named(ask[*kmsg.MetadataResponse](n.client(t), empty)); got != want {
			t.Errorf("v%d, empty: %q, want %q", version, got, want)
		}
		if version == 0 {
			continue // There is no null.
		}
		if got := named(ask[*kmsg.MetadataResponse](n.client(t), null)); got != "a b" {
			t.Errorf("v%d, null: %q, want all", version, got)
		}
	}
}

// Every broker is named by the address that it has for the listener that the
// client came by.
func TestAddressesAreTheListeners(t *testing.T) {
	n := start(t, setup{others: []int32{2}})
	for address, want := range map[string]string{
		"kafka-1.example.org:9092": "1=kafka-1.example.org:9092 2=kafka-2.example.org:9092",
		"node-1:9092":              "1=node-1:9092 2=node-2:9092",
	} {
		var got []string
		for _, b := range ask[*kmsg.MetadataResponse](n.dial(t, address), metadataFor(12)).Brokers {
			got = append(got, fmt.Sprintf("%d=%s:%d", b.NodeID, b.Host, b.Port))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %v, want %s", address, got, want)
		}
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.Version, find.CoordinatorKeys = 4, []string{"g"}
		host, _, _ := strings.Cut(address, ":")
		if c := ask[*kmsg.FindCoordinatorResponse](n.dial(t, address), find).Coordinators[0]; c.ErrorCode != 0 || !strings.Contains(want, c.Host) || strings.Contains(c.Host, "node-") != strings.Contains(host, "node-") {
			t.Errorf("by %s: coordinator %+v", address, c)
		}
	}
}

func TestMetadataDescribesPartitions(t *testing.T) {
	n := start(t, setup{others: []int32{2}})
	n.create(t, "t")
	id := n.topicID(t, "t")
	byID := kmsg.NewPtrMetadataRequest()
	byID.Version = 12
	byID.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}, {TopicID: [16]byte{1}}}
	resp := ask[*kmsg.MetadataResponse](n.client(t), byID)
	if got := named(resp); got != "t -:UNKNOWN_TOPIC_ID" {
		t.Fatalf("by id: %q", got)
	}
	topic := resp.Topics[0]
	if topic.TopicID != id || topic.IsInternal || len(topic.Partitions) != 1 {
		t.Fatalf("%+v", topic)
	}
	p := topic.Partitions[0]
	if p.ErrorCode != 0 || p.LeaderEpoch < 0 || len(p.Replicas) != 1 || !slices.Equal(p.ISR, p.Replicas) || len(p.OfflineReplicas) != 0 {
		t.Errorf("%+v", p)
	}
	if *resp.ClusterID != n.images.Image().ClusterID() || resp.AuthorizedOperations != -1<<31 {
		t.Errorf("cluster id %q, authorized operations %d", *resp.ClusterID, resp.AuthorizedOperations)
	}
}

// A topic is created if client and broker allow. The request that creates it
// is told to ask again, and by then the topic takes records.
func TestItem86_AutoCreation(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	refused := metadataFor(4, "t")
	refused.AllowAutoTopicCreation = false
	if got := named(ask[*kmsg.MetadataResponse](c, refused)); got != "t:UNKNOWN_TOPIC_OR_PARTITION" {
		t.Errorf("the client does not allow it: %q", got)
	}
	for _, want := range []string{"t:LEADER_NOT_AVAILABLE", "t"} {
		if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(4, "t"))); got != want {
			t.Errorf("both allow it: %q, want %q", got, want)
		}
	}
	for _, want := range []string{"old:LEADER_NOT_AVAILABLE", "old"} {
		if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(1, "old"))); got != want {
			t.Errorf("v1 has no say: %q, want %q", got, want)
		}
	}
	if got := produced(c, produceTo(9, 1, "t", [16]byte{}, 0, batch(t, "v"))); got.ErrorCode != 0 {
		t.Errorf("the topic does not take records at once: %v", kerr.ErrorForCode(got.ErrorCode))
	}
}

// W16: no topic is created under a name that no topic can have.
func TestItem85_AutoCreationOfInvalidNames(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	for _, name := range []string{"", ".", "..", "a/b", strings.Repeat("x", 250), "sp ace", "ü"} {
		if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(4, name))); got != name+":INVALID_TOPIC_EXCEPTION" {
			t.Errorf("W16 %q: %q", name, got)
		}
	}
	n.create(t, "a_b")
	if got := named(ask[*kmsg.MetadataResponse](c, metadataFor(4, "a.b"))); got != "a.b:INVALID_TOPIC_EXCEPTION" {
		t.Errorf("W16 a.b beside a_b: %q", got)
	}
}

func TestItem86_AutoCreationSwitchedOff(t *testing.T) {
	n := start(t, setup{static: map[string]string{"auto.create.topics.enable": "false"}})
	if got := named(ask[*kmsg.MetadataResponse](n.client(t), metadataFor(4, "t"))); got != "t:UNKNOWN_TOPIC_OR_PARTITION" {
		t.Errorf("%q", got)
	}
}

// A controller that does not answer is no reason to say that a topic does not
// exist: the client asks again.
func TestAutoCreationWithoutController(t *testing.T) {
	n := start(t, setup{})
	n.breakController(context.DeadlineExceeded)
	if got := named(ask[*kmsg.MetadataResponse](n.client(t), metadataFor(4, "t"))); got != "t:LEADER_NOT_AVAILABLE" {
		t.Errorf("%q", got)
	}
}

func createTopic(version int16, name string, partitions int32, replicas int16) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = version, 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, replicas
	req.Topics = append(req.Topics, topic)
	return req
}

// Item 87: what a created topic answers, and every refusal with its code.
func TestItem87_CreateTopics(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	for version := int16(2); version <= 7; version++ {
		got := ask[*kmsg.CreateTopicsResponse](c, createTopic(version, fmt.Sprint("v", version), 3, 1)).Topics[0]
		if got.ErrorCode != 0 || version >= 5 && (got.NumPartitions != 3 || got.ReplicationFactor != 1) || version >= 7 && got.TopicID == [16]byte{} {
			t.Errorf("v%d: %+v", version, got)
		}
		if version >= 5 && !slices.ContainsFunc(got.Configs, func(c kmsg.CreateTopicsResponseTopicConfig) bool {
			return c.Name == "retention.ms" && c.Value != nil && *c.Value == "604800000"
		}) {
			t.Errorf("v%d does not echo retention.ms of 7 days", version)
		}
	}
	invalid := createTopic(7, "configured", 1, 1)
	invalid.Topics[0].Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: new("soon")}}
	twice := createTopic(7, "twice", 1, 1)
	twice.Topics = append(twice.Topics, twice.Topics[0])
	for _, test := range []struct {
		name string
		req  *kmsg.CreateTopicsRequest
		want *kerr.Error
	}{
		{"exists", createTopic(7, "v7", 1, 1), kerr.TopicAlreadyExists},
		{"W16 name", createTopic(7, "a/b", 1, 1), kerr.InvalidTopicException},
		{"no partitions", createTopic(7, "p", 0, 1), kerr.InvalidPartitions},
		{"too many replicas", createTopic(7, "r", 1, 3), kerr.InvalidReplicationFactor},
		{"config", invalid, kerr.InvalidConfig},
		{"twice", twice, kerr.InvalidRequest},
	} {
		got := ask[*kmsg.CreateTopicsResponse](c, test.req).Topics[0]
		if got.ErrorCode != test.want.Code || got.ErrorMessage == nil || *got.ErrorMessage == "" {
			t.Errorf("%s: %v %v, want %v", test.name, kerr.ErrorForCode(got.ErrorCode), got.ErrorMessage, test.want)
		}
	}
	dry := createTopic(7, "dry", 1, 1)
	dry.ValidateOnly = true
	if got := ask[*kmsg.CreateTopicsResponse](c, dry).Topics[0]; got.ErrorCode != 0 {
		t.Errorf("validate only: %v", kerr.ErrorForCode(got.ErrorCode))
	}
	if _, ok := n.images.Image().Topic("dry"); ok {
		t.Error("validate only created the topic")
	}
	n.breakController(context.DeadlineExceeded)
	if got := ask[*kmsg.CreateTopicsResponse](c, createTopic(7, "late", 1, 1)).Topics[0]; got.ErrorCode != kerr.RequestTimedOut.Code {
		t.Errorf("a decision that was not reached: %v, want REQUEST_TIMED_OUT", kerr.ErrorForCode(got.ErrorCode))
	}
}

func TestItem92_MorePartitionsAndDeletion(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "a", "b")
	c := n.client(t)
	more := kmsg.NewPtrCreatePartitionsRequest()
	more.Version, more.TimeoutMillis = 3, 1000
	more.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "a", Count: 4}, {Topic: "b", Count: 1}, {Topic: "c", Count: 2}}
	want := []int16{0, kerr.InvalidPartitions.Code, kerr.UnknownTopicOrPartition.Code}
	for i, topic := range ask[*kmsg.CreatePartitionsResponse](c, more).Topics {
		if topic.ErrorCode != want[i] {
			t.Errorf("CreatePartitions of %s: %v", topic.Topic, kerr.ErrorForCode(topic.ErrorCode))
		}
	}
	if p, ok := n.set.Partition("a", 3); !ok || !p.Leads() {
		t.Error("the new partition is not led here")
	}
	gone := kmsg.NewPtrDeleteTopicsRequest()
	gone.Version, gone.TimeoutMillis = 6, 1000
	gone.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: n.topicID(t, "a")}, {Topic: new("b")}, {Topic: new("c")}, {TopicID: [16]byte{5}}}
	want = []int16{0, 0, kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicID.Code}
	for i, topic := range ask[*kmsg.DeleteTopicsResponse](c, gone).Topics {
		if topic.ErrorCode != want[i] {
			t.Errorf("DeleteTopics, entry %d: %v", i, kerr.ErrorForCode(topic.ErrorCode))
		}
	}
	if n.images.Image().TopicCount() != 0 {
		t.Error("topics are left")
	}
}

// Items 90 and 91: configs with their sources, and what changes them.
func TestItem91_ConfigsAreAltered(t *testing.T) {
	n := start(t, setup{static: map[string]string{"log.retention.hours": "24"}})
	n.create(t, "t")
	c := n.client(t)
	describe := func() map[string]kmsg.DescribeConfigsResponseResourceConfig {
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version, req.IncludeSynonyms, req.IncludeDocumentation = 4, true, true
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t"}}
		r := ask[*kmsg.DescribeConfigsResponse](c, req).Resources[0]
		if r.ErrorCode != 0 {
			t.Fatal(kerr.ErrorForCode(r.ErrorCode))
		}
		byName := map[string]kmsg.DescribeConfigsResponseResourceConfig{}
		for _, cfg := range r.Configs {
			byName[cfg.Name] = cfg
		}
		return byName
	}
	retention := describe()["retention.ms"]
	if *retention.Value != "86400000" || retention.Source != kmsg.ConfigSourceStaticBrokerConfig || retention.Documentation == nil || len(retention.ConfigSynonyms) < 2 {
		t.Errorf("retention.ms is %s from %v with %d synonyms", *retention.Value, retention.Source, len(retention.ConfigSynonyms))
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Version = 1
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{
			{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpSet, Value: new("1000")},
			{Name: "cleanup.policy", Op: kmsg.IncrementalAlterConfigOpAppend, Value: new("compact")},
		},
	}, {ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "nowhere"}}
	done := ask[*kmsg.IncrementalAlterConfigsResponse](c, alter).Resources
	if done[0].ErrorCode != 0 || done[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Fatalf("%+v", done)
	}
	after := describe()
	if got := after["retention.ms"]; *got.Value != "1000" || got.Source != kmsg.ConfigSourceDynamicTopicConfig || got.IsDefault {
		t.Errorf("retention.ms is %s from %v", *got.Value, got.Source)
	}
	if got := *after["cleanup.policy"].Value; got != "delete,compact" {
		t.Errorf("cleanup.policy is %s", got)
	}
	replace := kmsg.NewPtrAlterConfigsRequest()
	replace.Version = 2
	replace.Resources = []kmsg.AlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t",
		Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.bytes", Value: new("5")}},
	}}
	if r := ask[*kmsg.AlterConfigsResponse](c, replace).Resources[0]; r.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(r.ErrorCode))
	}
	after = describe()
	if *after["retention.ms"].Value != "86400000" || *after["retention.bytes"].Value != "5" {
		t.Errorf("AlterConfigs did not replace: retention.ms %s, retention.bytes %s", *after["retention.ms"].Value, *after["retention.bytes"].Value)
	}
}

func TestItem90_ConfigsOfBrokers(t *testing.T) {
	n := start(t, setup{})
	for name, want := range map[string]int16{"1": 0, "": 0, "2": kerr.InvalidRequest.Code, "x": kerr.InvalidRequest.Code} {
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version = 4
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: name, ConfigNames: []string{"num.partitions", "socket.request.max.bytes"}}}
		r := ask[*kmsg.DescribeConfigsResponse](n.client(t), req).Resources[0]
		if r.ErrorCode != want || want == 0 && len(r.Configs) != 2 {
			t.Errorf("broker %q: %v, %d configs", name, kerr.ErrorForCode(r.ErrorCode), len(r.Configs))
		}
	}
}

func TestDescribeCluster(t *testing.T) {
	n := start(t, setup{others: []int32{2}})
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType = 2, 1
	resp := ask[*kmsg.DescribeClusterResponse](n.client(t), req)
	if resp.ErrorCode != 0 || len(resp.Brokers) != 2 || resp.ClusterID != n.images.Image().ClusterID() || resp.Brokers[1].Host != "kafka-2.example.org" {
		t.Errorf("%+v", resp)
	}
	req.EndpointType = 2
	if resp := ask[*kmsg.DescribeClusterResponse](n.client(t), req); resp.ErrorCode != kerr.UnsupportedEndpointType.Code {
		t.Errorf("controllers: %v", kerr.ErrorForCode(resp.ErrorCode))
	}
}

// Items 64 and 65.
func TestItem64_ListOffsetsAndEpochs(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, "a", "b", "c") // stamped one millisecond apart
	c := n.client(t)
	const base = 900_000_000_000
	for _, test := range []struct {
		timestamp, offset, at int64
	}{
		{-1, 3, -1}, {-2, 0, -1}, {-3, 2, base + 2}, {-4, 0, -1}, {-5, -1, -1}, {-6, -1, -1},
		{0, 0, base}, {base + 1, 1, base + 1}, {base + 3, -1, -1},
	} {
		req := kmsg.NewPtrListOffsetsRequest()
		req.Version = 11
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Timestamp = test.timestamp
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
		got := ask[*kmsg.ListOffsetsResponse](c, req).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.Offset != test.offset || got.Timestamp != test.at {
			t.Errorf("timestamp %d: %+v, want offset %d at %d", test.timestamp, got, test.offset, test.at)
		}
	}
	p, _ := n.set.Partition("t", 0)
	_, epoch := p.Leader()
	for asked, want := range map[int32]int64{epoch: 3, epoch + 5: -1} {
		for version := int16(2); version <= 4; version++ {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			req.Version = version
			part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			part.LeaderEpoch = asked
			req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{part}}}
			got := ask[*kmsg.OffsetForLeaderEpochResponse](c, req).Topics[0].Partitions[0]
			if got.ErrorCode != 0 || got.EndOffset != want {
				t.Errorf("epoch %d at v%d: %+v, want end %d", asked, version, got, want)
			}
		}
	}
}

// Item 96: sizes by data directory.
func TestItem96_DescribeLogDirs(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	n.append(t, "t", 0, "v")
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 4
	resp := ask[*kmsg.DescribeLogDirsResponse](n.client(t), req)
	if len(resp.Dirs) != 1 || resp.Dirs[0].Dir != "data" || len(resp.Dirs[0].Topics) != 1 || resp.Dirs[0].Topics[0].Partitions[0].Size != int64(len(batch(t, "v"))) {
		t.Errorf("%+v", resp.Dirs)
	}
}
