package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeCluster (key 60, v0-2; KIP-700): the cluster's id and brokers.
//
// Only brokers are described: there is no listener of controllers (KIP-919),
// so endpoint type 2 is UNSUPPORTED_ENDPOINT_TYPE. Fenced brokers are shown
// on request (v2).

const brokerEndpoints = 1

func (b *Broker) describeCluster(c call, req *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ControllerID = -1
	if c.Version >= 1 {
		resp.EndpointType = req.EndpointType
		if req.EndpointType != brokerEndpoints {
			resp.ErrorCode = kerr.UnsupportedEndpointType.Code
			resp.ErrorMessage = new("controllers have no endpoints of their own; ask for brokers (endpoint type 1)")
			return resp
		}
	}
	image := b.image()
	resp.ClusterID, resp.ControllerID = image.ClusterID(), b.NodeID
	for _, broker := range image.Brokers() {
		at, ok := endpoint(broker, c.listener)
		if !ok || broker.Fenced && !req.IncludeFencedBrokers {
			continue
		}
		d := kmsg.NewDescribeClusterResponseBroker()
		d.NodeID, d.Host, d.Port, d.Rack, d.IsFenced = at.NodeID, at.Host, at.Port, optional(at.Rack), broker.Fenced
		resp.Brokers = append(resp.Brokers, d)
	}
	return resp
}
