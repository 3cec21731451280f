package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Coordinator answers for the consumer groups whose partition of
// __consumer_offsets this node leads.
//
// The contract of every method that takes a reply:
//
//   - It returns without waiting for other members, flushes or replicas, and
//     calls reply exactly once, before it returns or later, on any goroutine,
//     with no lock held. A lost leadership or a closed coordinator is a reply
//     too (NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE).
//   - ctx ends when the client's connection does: what is parked may then be
//     answered early with any error, since nobody reads it. Effects that were
//     decided stay.
//   - The request belongs to the callee. It aliases no pooled memory, so its
//     strings and bytes may be kept. The version in it is the client's: rules
//     that depend on it (KIP-394, KIP-814) are the coordinator's.
//   - The response belongs to the caller once reply is called. Its version
//     and throttle time are set by the caller.
//   - A group that is not here is answered NOT_COORDINATOR, one that is still
//     being loaded COORDINATOR_LOAD_IN_PROGRESS, an invalid group id
//     INVALID_GROUP_ID.
//
// The edge (this package) has levelled the versions: LeaveGroup always has
// its members in Members, OffsetFetch and DescribeGroups come group by group,
// and topic ids (OffsetCommit and OffsetFetch v10) are already names.
type Coordinator interface {
	// JoinGroup also takes the client id of the request header and the
	// client's address as Kafka shows it ("/10.0.0.7"), for DescribeGroups.
	JoinGroup(ctx context.Context, clientID, clientHost string, req *kmsg.JoinGroupRequest, reply func(*kmsg.JoinGroupResponse))
	SyncGroup(ctx context.Context, req *kmsg.SyncGroupRequest, reply func(*kmsg.SyncGroupResponse))
	Heartbeat(ctx context.Context, req *kmsg.HeartbeatRequest, reply func(*kmsg.HeartbeatResponse))
	LeaveGroup(ctx context.Context, req *kmsg.LeaveGroupRequest, reply func(*kmsg.LeaveGroupResponse))

	// ConsumerGroupHeartbeat is the whole consumer protocol (KIP-848).
	ConsumerGroupHeartbeat(ctx context.Context, clientID, clientHost string, req *kmsg.ConsumerGroupHeartbeatRequest, reply func(*kmsg.ConsumerGroupHeartbeatResponse))
	// DescribeConsumerGroup answers one group: GROUP_ID_NOT_FOUND where it is
	// unknown or speaks another protocol.
	DescribeConsumerGroup(ctx context.Context, group string, reply func(kmsg.ConsumerGroupDescribeResponseGroup))

	OffsetCommit(ctx context.Context, req *kmsg.OffsetCommitRequest, reply func(*kmsg.OffsetCommitResponse))
	// TxnOffsetCommit takes offsets of a transaction. It calls join, which sees
	// to it that the transaction includes the group's partition, and refuses
	// the offsets if the transaction has ended by the time of the answer.
	TxnOffsetCommit(ctx context.Context, req *kmsg.TxnOffsetCommitRequest, join func(done func(*kerr.Error)), reply func(*kmsg.TxnOffsetCommitResponse))
	// OffsetFetch answers one group. Topics nil means all that the group has
	// committed. An unknown group has offset -1 and no error.
	OffsetFetch(ctx context.Context, group kmsg.OffsetFetchRequestGroup, requireStable bool, reply func(kmsg.OffsetFetchResponseGroup))
	OffsetDelete(ctx context.Context, req *kmsg.OffsetDeleteRequest, reply func(*kmsg.OffsetDeleteResponse))

	// DescribeGroup answers one group. An unknown one is in state Dead with
	// no error; the edge turns that into GROUP_ID_NOT_FOUND for v6 (KIP-1043).
	DescribeGroup(ctx context.Context, group string, reply func(kmsg.DescribeGroupsResponseGroup))
	// ListGroups returns the groups of all shards that are loaded here.
	// errorCode is COORDINATOR_LOAD_IN_PROGRESS while any shard is loading.
	// Filters are applied by the edge.
	ListGroups() (groups []kmsg.ListGroupsResponseGroup, errorCode int16)
	// DeleteGroup removes an empty group with its offsets.
	DeleteGroup(ctx context.Context, group string, reply func(errorCode int16))
}
