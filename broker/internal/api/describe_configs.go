package api

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
	"github.com/millrace-io/millrace/internal/kafkaconf"
)

// DescribeConfigs (key 32, v1-4): configs of topics, brokers and groups with
// where each value comes from, from v3 on with type and documentation
// (KIP-569). A null list of names asks for all.

func (b *Broker) describeConfigs(_ call, req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	image := b.image()
	for _, wanted := range req.Resources {
		r := kmsg.NewDescribeConfigsResponseResource()
		r.ResourceType, r.ResourceName = wanted.ResourceType, wanted.ResourceName
		scope, layers, err := b.configsOf(image, wanted)
		if err != nil {
			r.ErrorCode, r.ErrorMessage = err.Code, new(err.Message)
			resp.Resources = append(resp.Resources, r)
			continue
		}
		own := image.Config(resource(wanted.ResourceType, wanted.ResourceName))
		for _, key := range listed(scope, own) {
			if wanted.ConfigNames != nil && !slices.Contains(wanted.ConfigNames, key.Name) {
				continue
			}
			entry, _ := layers.Resolve(scope, key.Name)
			r.Configs = append(r.Configs, describedConfig(req, scope, entry))
		}
		resp.Resources = append(resp.Resources, r)
	}
	return resp
}

// configsOf finds the layers that rule a resource.
func (b *Broker) configsOf(image *metadata.Image, wanted kmsg.DescribeConfigsRequestResource) (kafkaconf.Scope, kafkaconf.Layers, *kerr.Error) {
	refuse := func(err kerr.Error, format string, args ...any) (kafkaconf.Scope, kafkaconf.Layers, *kerr.Error) {
		err.Message = fmt.Sprintf(format, args...)
		return 0, kafkaconf.Layers{}, &err
	}
	name := wanted.ResourceName
	switch metadata.ResourceType(wanted.ResourceType) {
	case metadata.TopicResource:
		if _, ok := image.Topic(name); !ok {
			return refuse(*kerr.UnknownTopicOrPartition, "there is no topic %q", name)
		}
		return kafkaconf.TopicScope, image.TopicLayers(name, b.NodeID, b.Static), nil
	case metadata.BrokerResource:
		if name == "" { // What is set for all brokers, without any one's own.
			return kafkaconf.BrokerScope, image.BrokerLayers(metadata.NoLeader, nil), nil
		}
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil || int32(id) != b.NodeID {
			return refuse(*kerr.InvalidRequest, "broker %q does not answer here: this is broker %d, which knows only its own configs", name, b.NodeID)
		}
		return kafkaconf.BrokerScope, image.BrokerLayers(b.NodeID, b.Static), nil
	case metadata.GroupResource:
		layers := image.BrokerLayers(b.NodeID, b.Static)
		layers.Group = image.Config(metadata.Resource{Type: metadata.GroupResource, Name: name})
		return kafkaconf.GroupScope, layers, nil
	}
	return refuse(*kerr.InvalidRequest, "resource type %d has no configs here; topics (2), brokers (4) and groups (32) have", wanted.ResourceType)
}

// listed are the keys of a scope, without those that hide unless they are set.
func listed(scope kafkaconf.Scope, own map[string]string) []*kafkaconf.Key {
	var keys []*kafkaconf.Key
	for _, key := range kafkaconf.Keys(scope) {
		if _, set := own[key.Name]; !key.Hidden || set {
			keys = append(keys, key)
		}
	}
	return keys
}

func describedConfig(req *kmsg.DescribeConfigsRequest, scope kafkaconf.Scope, entry kafkaconf.Entry) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value = entry.Key.Name, valueOf(entry)
	c.Source, c.IsDefault = kmsg.ConfigSource(entry.Source), entry.Source == kafkaconf.FromDefault
	c.ReadOnly = scope == kafkaconf.BrokerScope && entry.Key.Update == kafkaconf.ReadOnly
	c.ConfigType, c.IsSensitive = kmsg.ConfigType(entry.Key.Type), entry.Key.Sensitive()
	if req.IncludeDocumentation {
		c.Documentation = &entry.Key.Doc
	}
	if !req.IncludeSynonyms {
		return c
	}
	for _, set := range entry.Synonyms {
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Value, s.Source = set.Name, &set.Value, kmsg.ConfigSource(set.Source)
		if c.IsSensitive {
			s.Value = nil
		}
		c.ConfigSynonyms = append(c.ConfigSynonyms, s)
	}
	return c
}

func valueOf(entry kafkaconf.Entry) *string {
	if entry.Null || entry.Key.Sensitive() {
		return nil
	}
	return &entry.Value
}
