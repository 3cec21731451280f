package api

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/metadata"
)

// ListConfigResources (key 74, v0-1; KIP-1142): what has configs: topics,
// brokers and their loggers, and the groups that have any set.
//
// v0 asked for the subscriptions of client metrics (KIP-714), of which there
// are none. In v1 an empty list of types asks for all; one that does not exist
// is UNSUPPORTED_VERSION.

func (b *Broker) listConfigResources(c call, req *kmsg.ListConfigResourcesRequest) *kmsg.ListConfigResourcesResponse {
	resp := kmsg.NewPtrListConfigResourcesResponse()
	resp.ConfigResources = []kmsg.ListConfigResourcesResponseConfigResource{}
	types := []int8{int8(kmsg.ConfigResourceTypeClientMetrics)}
	if c.Version >= 1 {
		types = slices.Clone(req.ResourceTypes)
	}
	if len(types) == 0 {
		types = allResourceTypes
	}
	for _, kind := range types {
		if !slices.Contains(allResourceTypes, kind) {
			resp.ErrorCode = kerr.UnsupportedVersion.Code
			return resp
		}
	}
	slices.Sort(types)
	for _, kind := range slices.Compact(types) {
		for _, name := range resourceNames(b.image(), kmsg.ConfigResourceType(kind)) {
			r := kmsg.NewListConfigResourcesResponseConfigResource()
			r.Name, r.Type = name, kind
			resp.ConfigResources = append(resp.ConfigResources, r)
		}
	}
	return resp
}

var allResourceTypes = []int8{
	int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger),
	int8(kmsg.ConfigResourceTypeClientMetrics), int8(kmsg.ConfigResourceTypeGroupConfig),
}

// resourceNames lists what has configs of a type.
func resourceNames(image *metadata.Image, kind kmsg.ConfigResourceType) []string {
	var names []string
	switch kind { //nolint:exhaustive // the others have no resources
	case kmsg.ConfigResourceTypeTopic:
		for topic := range image.Topics() {
			names = append(names, topic.Name)
		}
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger:
		for _, broker := range image.Brokers() {
			names = append(names, strconv.Itoa(int(broker.ID)))
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		groups := map[string]bool{}
		for r := range image.ConfiguredResources() {
			if r.Type == metadata.GroupResource {
				groups[r.Name] = true
			}
		}
		names = slices.Sorted(maps.Keys(groups))
	}
	return names
}
