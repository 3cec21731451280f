package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The classic group protocol (KIP-345, 394, 429, 814). The coordinator does
// the work; this file levels what the versions differ in.
//
//	JoinGroup   (key 11, v0-9): v0 and v1 came back with KAFKA-19444
//	SyncGroup   (key 14, v0-5)
//	Heartbeat   (key 12, v0-4)
//	LeaveGroup  (key 13, v0-5): one member up to v2, then a batch

// Bounds of what a member may bring, since the coordinator keeps it for every
// member and writes it to the log.
const (
	maxProtocols        = 1000
	maxProtocolMetadata = 1 << 20 // of all protocols together, in bytes
)

func oversized(req *kmsg.JoinGroupRequest) bool {
	bytes := 0
	for _, p := range req.Protocols {
		bytes += len(p.Name) + len(p.Metadata)
	}
	return len(req.Protocols) > maxProtocols || bytes > maxProtocolMetadata
}

func (b *Broker) joinGroup(c call, req *kmsg.JoinGroupRequest, reply func(*kmsg.JoinGroupResponse)) {
	if oversized(req) {
		resp := kmsg.NewPtrJoinGroupResponse()
		resp.ErrorCode, resp.MemberID = kerr.InvalidRequest.Code, req.MemberID
		reply(resp)
		return
	}
	if c.Version == 0 {
		// v0 knows one timeout for both purposes.
		req.RebalanceTimeoutMillis = req.SessionTimeoutMillis
	}
	b.Coordinator.JoinGroup(c.ctx, c.ClientID, c.clientHost, req, reply)
}

func (b *Broker) syncGroup(c call, req *kmsg.SyncGroupRequest, reply func(*kmsg.SyncGroupResponse)) {
	b.Coordinator.SyncGroup(c.ctx, req, reply)
}

func (b *Broker) heartbeat(c call, req *kmsg.HeartbeatRequest, reply func(*kmsg.HeartbeatResponse)) {
	b.Coordinator.Heartbeat(c.ctx, req, reply)
}

func (b *Broker) leaveGroup(c call, req *kmsg.LeaveGroupRequest, reply func(*kmsg.LeaveGroupResponse)) {
	single := c.Version < 3
	if single {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = req.MemberID
		req.Members = []kmsg.LeaveGroupRequestMember{member}
	}
	b.Coordinator.LeaveGroup(c.ctx, req, func(resp *kmsg.LeaveGroupResponse) {
		if single && resp.ErrorCode == 0 && len(resp.Members) > 0 {
			resp.ErrorCode = resp.Members[0].ErrorCode
		}
		reply(resp)
	})
}
