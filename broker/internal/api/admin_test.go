package api

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
)

// alterQuotas sets quotas, an entity each: "client-id=c producer_byte_rate=5".
func alterQuotas(c *client, version int16, lines ...string) []kmsg.AlterClientQuotasResponseEntry {
	c.t.Helper()
	req := kmsg.NewPtrAlterClientQuotasRequest()
	req.Version = version
	for _, line := range lines {
		var e kmsg.AlterClientQuotasRequestEntry
		for field := range strings.FieldsSeq(line) {
			name, value, given := strings.Cut(field, "=")
			switch name {
			case controller.UserEntity, controller.ClientIDEntity, controller.IPEntity, "group":
				part := kmsg.AlterClientQuotasRequestEntryEntity{Type: name}
				if given {
					part.Name = &value
				}
				e.Entity = append(e.Entity, part)
			default:
				op := kmsg.AlterClientQuotasRequestEntryOp{Key: name, Remove: !given}
				if given {
					var err error
					if op.Value, err = strconv.ParseFloat(value, 64); err != nil {
						c.t.Fatal(err)
					}
				}
				e.Ops = append(e.Ops, op)
			}
		}
		req.Entries = append(req.Entries, e)
	}
	return ask[*kmsg.AlterClientQuotasResponse](c, req).Entries
}

// mustAlterQuotas is alterQuotas where nothing may be refused.
func mustAlterQuotas(c *client, lines ...string) {
	c.t.Helper()
	for _, e := range alterQuotas(c, 1, lines...) {
		if e.ErrorCode != 0 {
			c.t.Fatalf("%v: %s", e.Entity, *e.ErrorMessage)
		}
	}
}

func TestItem98_QuotasAreDescribedAsTheyWereSet(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	mustAlterQuotas(c, "client-id=a producer_byte_rate=1024 request_percentage=12.5", "client-id consumer_byte_rate=7",
		"user=u client-id=a producer_byte_rate=1", "user=u producer_byte_rate=2", "ip=10.0.0.7 connection_creation_rate=3")
	const exact, defaults, anyOf = kmsg.QuotasMatchTypeExact, kmsg.QuotasMatchTypeDefault, kmsg.QuotasMatchTypeAny
	component := func(kind string, match kmsg.QuotasMatchType, name *string) kmsg.DescribeClientQuotasRequestComponent {
		return kmsg.DescribeClientQuotasRequestComponent{EntityType: kind, MatchType: match, Match: name}
	}
	for _, test := range []struct {
		name   string
		strict bool
		filter []kmsg.DescribeClientQuotasRequestComponent
		want   string // entities, or an error
	}{
		{"everything", false, nil, "ip=10.0.0.7, client-id=<default>, client-id=a, user=u, user=u client-id=a"},
		{"one client", false, []kmsg.DescribeClientQuotasRequestComponent{component("client-id", exact, new("a"))}, "client-id=a, user=u client-id=a"},
		{"one client, strictly", true, []kmsg.DescribeClientQuotasRequestComponent{component("client-id", exact, new("a"))}, "client-id=a"},
		{"the default client", false, []kmsg.DescribeClientQuotasRequestComponent{component("client-id", defaults, nil)}, "client-id=<default>"},
		{"any client", true, []kmsg.DescribeClientQuotasRequestComponent{component("client-id", anyOf, nil)}, "client-id=<default>, client-id=a"},
		{"any user and client", true, []kmsg.DescribeClientQuotasRequestComponent{component("user", anyOf, nil), component("client-id", anyOf, nil)}, "user=u client-id=a"},
		{"addresses", false, []kmsg.DescribeClientQuotasRequestComponent{component("ip", anyOf, nil)}, "ip=10.0.0.7"},
		{"unknown type", false, []kmsg.DescribeClientQuotasRequestComponent{component("group", anyOf, nil)}, "INVALID_REQUEST"},
		{"unknown match", false, []kmsg.DescribeClientQuotasRequestComponent{component("user", 3, nil)}, "INVALID_REQUEST"},
		{"exactly nothing", false, []kmsg.DescribeClientQuotasRequestComponent{component("user", exact, nil)}, "INVALID_REQUEST"},
		{"a default with a name", false, []kmsg.DescribeClientQuotasRequestComponent{component("user", defaults, new("u"))}, "INVALID_REQUEST"},
		{"one type twice", false, []kmsg.DescribeClientQuotasRequestComponent{component("user", anyOf, nil), component("user", anyOf, nil)}, "INVALID_REQUEST"},
		{"address and user", false, []kmsg.DescribeClientQuotasRequestComponent{component("ip", anyOf, nil), component("user", anyOf, nil)}, "INVALID_REQUEST"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := kmsg.NewPtrDescribeClientQuotasRequest()
			req.Version, req.Strict, req.Components = 1, test.strict, test.filter
			if got := quotaText(ask[*kmsg.DescribeClientQuotasResponse](c, req)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func quotaText(resp *kmsg.DescribeClientQuotasResponse) string {
	if resp.ErrorCode != 0 {
		return kerr.TypedErrorForCode(resp.ErrorCode).Message
	}
	var entities []string
	for _, e := range resp.Entries {
		var parts []string
		for _, p := range e.Entity {
			name := "<default>"
			if p.Name != nil {
				name = *p.Name
			}
			parts = append(parts, p.Type+"="+name)
		}
		entities = append(entities, strings.Join(parts, " "))
	}
	return strings.Join(entities, ", ")
}

func TestQuotasAreRefusedOneByOne(t *testing.T) {
	c := start(t, setup{}).client(t)
	got := alterQuotas(c, 0, "client-id=a producer_byte_rate=-1", "client-id=b producer_byte_rate=1", "group=g producer_byte_rate=1")
	if got[0].ErrorCode != kerr.InvalidRequest.Code || got[1].ErrorCode != 0 || got[2].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(*got[0].ErrorMessage, "producer_byte_rate must be above 0") {
		t.Errorf("the message does not say what is wrong: %s", *got[0].ErrorMessage)
	}
}

func TestItem95_UpdateFeaturesValidates(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	level := n.images.Image().Feature(controller.MetadataVersion)
	update := func(level int16, kind int8) kmsg.UpdateFeaturesRequestFeatureUpdate {
		return kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: controller.MetadataVersion, MaxVersionLevel: level, UpgradeType: kind}
	}
	for _, test := range []struct {
		name    string
		version int16
		updates []kmsg.UpdateFeaturesRequestFeatureUpdate
		want    *kerr.Error
	}{
		{"nothing", 1, nil, kerr.InvalidRequest},
		{"unknown feature", 1, []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "no.such", MaxVersionLevel: 1, UpgradeType: 1}}, kerr.InvalidUpdateVersion},
		{"above what is supported", 2, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(math.MaxInt16, 1)}, kerr.InvalidUpdateVersion},
		{"below what is supported", 2, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(-1, 3)}, kerr.InvalidUpdateVersion},
		{"downgrade by an upgrade", 1, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(level-1, 1)}, kerr.InvalidUpdateVersion},
		{"downgrade without leave", 0, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(level-1, 0)}, kerr.InvalidUpdateVersion},
		{"unknown direction", 1, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(level-1, 7)}, kerr.InvalidUpdateVersion},
		{"twice", 1, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(level, 1), update(level, 1)}, kerr.InvalidRequest},
		{"one of two", 1, []kmsg.UpdateFeaturesRequestFeatureUpdate{update(level-1, 2), {Feature: "no.such", MaxVersionLevel: 1, UpgradeType: 1}}, kerr.InvalidUpdateVersion},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.Version, req.TimeoutMillis, req.FeatureUpdates = test.version, 1000, test.updates
			resp := ask[*kmsg.UpdateFeaturesResponse](c, req)
			if resp.ErrorCode != test.want.Code || resp.ErrorMessage == nil {
				t.Errorf("got code %d, want %s with a message", resp.ErrorCode, test.want.Message)
			}
			if now := n.images.Image().Feature(controller.MetadataVersion); now != level {
				t.Errorf("the level is %d now", now)
			}
		})
	}
	t.Run("downgrade and upgrade", func(t *testing.T) {
		for _, u := range []kmsg.UpdateFeaturesRequestFeatureUpdate{update(level-1, 2), update(level, 1)} {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.Version, req.TimeoutMillis, req.FeatureUpdates = 1, 1000, []kmsg.UpdateFeaturesRequestFeatureUpdate{u}
			resp := ask[*kmsg.UpdateFeaturesResponse](c, req)
			if resp.ErrorCode != 0 || len(resp.Results) != 1 || n.images.Image().Feature(u.Feature) != u.MaxVersionLevel {
				t.Fatalf("to %d: %+v", u.MaxVersionLevel, resp)
			}
		}
	})
}

// Features that have minimum 0 would make clients of v3 fail (KAFKA-17011).
func TestFeaturesAreAdvertised(t *testing.T) {
	c := start(t, setup{}).client(t)
	for version := int16(3); version <= 5; version++ {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = version, "test", "1"
		resp := ask[*kmsg.ApiVersionsResponse](c, req)
		var supported []string
		for _, f := range resp.SupportedFeatures {
			supported = append(supported, f.Name)
			if version == 3 && f.MinVersion == 0 {
				t.Errorf("v3 advertises %s from 0", f.Name)
			}
		}
		if !slices.Contains(supported, controller.MetadataVersion) {
			t.Errorf("v%d advertises %v", version, supported)
		}
		for _, f := range resp.FinalizedFeatures {
			if f.MaxVersionLevel < 1 || f.MinVersionLevel != f.MaxVersionLevel {
				t.Errorf("v%d: finalized %+v", version, f)
			}
		}
	}
}

func TestRebootstrap(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	id := n.images.Image().ClusterID()
	for _, test := range []struct {
		cluster *string
		node    int32
		want    int16
	}{
		{nil, -1, 0}, {&id, 1, 0}, {new("other"), 1, kerr.RebootstrapRequired.Code}, {&id, 2, kerr.RebootstrapRequired.Code},
		{&id, -1, kerr.InvalidRequest.Code}, {nil, 1, kerr.InvalidRequest.Code},
	} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 5, "test", "1"
		req.ClusterID, req.NodeID = test.cluster, test.node
		if got := ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode; got != test.want {
			t.Errorf("cluster %v, node %d: code %d, want %d", test.cluster, test.node, got, test.want)
		}
	}
}

func TestDescribeTopicPartitionsPages(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	for name, partitions := range map[string]int32{"a": 3, "b": 1, "c": 2} {
		n.createTopic(t, controller.NewTopic{Name: name, Partitions: partitions, Replicas: 1})
	}
	var got []string
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = 2
	for page := 0; ; page++ {
		resp := ask[*kmsg.DescribeTopicPartitionsResponse](c, req)
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				if p.LeaderID != 1 || p.ErrorCode != 0 || topic.TopicID != n.topicID(t, *topic.Topic) {
					t.Errorf("%s: %+v", *topic.Topic, p)
				}
				got = append(got, fmt.Sprintf("%d:%s-%d", page, *topic.Topic, p.Partition))
			}
		}
		if resp.NextCursor == nil {
			break
		}
		req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
	}
	if want := []string{"0:a-0", "0:a-1", "1:a-2", "1:b-0", "2:c-0", "2:c-1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	named := kmsg.NewPtrDescribeTopicPartitionsRequest()
	for _, name := range []string{"nope", "b", "..", "b"} {
		named.Topics = append(named.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
	}
	resp := ask[*kmsg.DescribeTopicPartitionsResponse](c, named)
	var codes []int16
	for _, topic := range resp.Topics {
		codes = append(codes, topic.ErrorCode)
	}
	if want := []int16{kerr.InvalidTopicException.Code, 0, kerr.UnknownTopicOrPartition.Code}; !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
}

func TestListConfigResources(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	n.create(t, "orders")
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: "g",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "consumer.session.timeout.ms", Value: new("50000")}},
	}}
	if resp := ask[*kmsg.IncrementalAlterConfigsResponse](c, alter); resp.Resources[0].ErrorCode != 0 {
		t.Fatal(*resp.Resources[0].ErrorMessage)
	}
	list := func(version int16, types ...int8) string {
		req := kmsg.NewPtrListConfigResourcesRequest()
		req.Version, req.ResourceTypes = version, types
		resp := ask[*kmsg.ListConfigResourcesResponse](c, req)
		text := fmt.Sprint(resp.ErrorCode)
		for _, r := range resp.ConfigResources {
			text += fmt.Sprintf(" %d:%s", r.Type, r.Name)
		}
		return text
	}
	for want, got := range map[string]string{
		"0 2:orders 4:1 8:1 32:g": list(1),
		"0 2:orders":              list(1, 2, 2),
		"0 32:g":                  list(1, 32),
		"35":                      list(1, 2, 99),
		"0":                       list(0),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
