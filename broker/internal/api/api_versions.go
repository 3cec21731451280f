package api

import (
	"maps"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/controller"
	"github.com/millrace-io/millrace/broker/internal/server"
)

// ApiVersions (key 18, v0-5): the table, and the finalized features.
//
// A request of a version that is not served is answered in v0 with
// UNSUPPORTED_VERSION and all ranges, so that the client can choose again
// (KIP-511). The names that clients give of their software are checked by
// pattern: INVALID_REQUEST. A feature is advertised only once what it stands
// for is there, because clients change their behaviour by it (KIP-890).

// softwareName is what KIP-511 allows for name and version of a client.
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func (b *Broker) apiVersions(c call, req *kmsg.ApiVersionsRequest) *kmsg.ApiVersionsResponse {
	resp := kmsg.NewPtrApiVersionsResponse()
	named := softwareName.MatchString(req.ClientSoftwareName) && softwareName.MatchString(req.ClientSoftwareVersion)
	if c.Version >= 3 && !named {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp
	}
	if err := b.expected(c.Version, req); err != nil {
		resp.ErrorCode = err.Code
		return resp
	}
	resp.ApiKeys = b.ranges()
	if c.Version >= 3 {
		b.addFeatures(c.Version, resp)
	}
	return resp
}

// expected checks whom the client believes to have reached (KIP-1242, v5): the
// cluster and the node, or neither.
func (b *Broker) expected(version int16, req *kmsg.ApiVersionsRequest) *kerr.Error {
	switch {
	case version < 5 || req.ClusterID == nil && req.NodeID == -1:
		return nil
	case req.ClusterID == nil || req.NodeID == -1:
		return kerr.InvalidRequest
	case *req.ClusterID != b.image().ClusterID() || req.NodeID != b.NodeID:
		return kerr.RebootstrapRequired
	}
	return nil
}

// unsupportedAPIVersions answers a version of the future.
func (b *Broker) unsupportedAPIVersions(r *server.Request) server.Reply {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = b.ranges()
	h := r.Header
	h.Version = 0
	return answer(h, resp)
}

func (b *Broker) ranges() []kmsg.ApiVersionsResponseApiKey {
	keys := make([]kmsg.ApiVersionsResponseApiKey, 0, len(b.apis))
	for i := range b.apis {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = b.apis[i].Key, b.apis[i].Min, b.apis[i].Max
		keys = append(keys, k)
	}
	return keys
}

// addFeatures lists what this broker supports and the cluster has finalized.
// Clients that send v3 cannot read a minimum of 0, so it is left out there
// (KAFKA-17011).
func (b *Broker) addFeatures(version int16, resp *kmsg.ApiVersionsResponse) {
	for _, f := range controller.Features() {
		if f.Min == 0 && version <= 3 {
			continue
		}
		supported := kmsg.NewApiVersionsResponseSupportedFeature()
		supported.Name, supported.MinVersion, supported.MaxVersion = f.Name, f.Min, f.Max
		resp.SupportedFeatures = append(resp.SupportedFeatures, supported)
	}
	image := b.image()
	features := image.Features()
	resp.FinalizedFeaturesEpoch = int64(image.Index())
	for _, name := range slices.Sorted(maps.Keys(features)) {
		level := features[name]
		finalized := kmsg.NewApiVersionsResponseFinalizedFeature()
		finalized.Name, finalized.MinVersionLevel, finalized.MaxVersionLevel = name, level, level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, finalized)
	}
}
