package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The requests and responses of the group APIs.
type (
	JoinRequest       = kmsg.JoinGroupRequest
	JoinResponse      = kmsg.JoinGroupResponse
	SyncRequest       = kmsg.SyncGroupRequest
	SyncResponse      = kmsg.SyncGroupResponse
	BeatRequest       = kmsg.HeartbeatRequest
	BeatResponse      = kmsg.HeartbeatResponse
	LeaveRequest      = kmsg.LeaveGroupRequest
	LeaveResponse     = kmsg.LeaveGroupResponse
	CommitRequest     = kmsg.OffsetCommitRequest
	CommitResponse    = kmsg.OffsetCommitResponse
	FetchRequest      = kmsg.OffsetFetchRequestGroup
	FetchResponse     = kmsg.OffsetFetchResponseGroup
	ForgetRequest     = kmsg.OffsetDeleteRequest
	ForgetResponse    = kmsg.OffsetDeleteResponse
	TxnCommitRequest  = kmsg.TxnOffsetCommitRequest
	TxnCommitResponse = kmsg.TxnOffsetCommitResponse
	Description       = kmsg.DescribeGroupsResponseGroup
	Listing           = kmsg.ListGroupsResponseGroup

	ConsumerBeatRequest  = kmsg.ConsumerGroupHeartbeatRequest
	ConsumerBeatResponse = kmsg.ConsumerGroupHeartbeatResponse
	ConsumerDescription  = kmsg.ConsumerGroupDescribeResponseGroup
	OwnedTopic           = kmsg.ConsumerGroupHeartbeatRequestTopic
)

// Client is who sent a JoinGroup, as DescribeGroups shows it.
type Client struct {
	ID   string // from the request header
	Host string // the client's address, "/10.0.0.7"
}

// The Refuse functions answer a request with nothing but an error, in the
// shape that each API gives to one.

// RefuseJoin answers a JoinGroup with an error.
func RefuseJoin(req *JoinRequest, err *kerr.Error) *JoinResponse {
	return joinError(req.MemberID, err)
}

func joinError(memberID string, err *kerr.Error) *JoinResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.ErrorCode = err.Code
	resp.Generation = -1
	resp.MemberID = memberID
	return resp
}

// RefuseSync answers a SyncGroup with an error.
func RefuseSync(err *kerr.Error) *SyncResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ErrorCode = err.Code
	resp.MemberAssignment = []byte{}
	return resp
}

// RefuseHeartbeat answers a Heartbeat with an error.
func RefuseHeartbeat(err *kerr.Error) *BeatResponse {
	return &BeatResponse{ErrorCode: code(err)}
}

// RefuseLeave answers a LeaveGroup with an error for the whole request.
func RefuseLeave(err *kerr.Error) *LeaveResponse {
	resp := kmsg.NewPtrLeaveGroupResponse()
	resp.ErrorCode = err.Code
	return resp
}

// RefuseCommit answers every partition of an OffsetCommit with an error.
func RefuseCommit(req *CommitRequest, err *kerr.Error) *CommitResponse {
	resp := kmsg.NewPtrOffsetCommitResponse()
	for _, topic := range req.Topics {
		rt := commitTopic(topic)
		for _, p := range topic.Partitions {
			rt.Partitions = append(rt.Partitions, commitPartition(p.Partition, err))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// RefuseTxnCommit answers every partition of a TxnOffsetCommit with an error.
func RefuseTxnCommit(req *TxnCommitRequest, err *kerr.Error) *TxnCommitResponse {
	return txnCommitResponse(req, func(string, *kmsg.TxnOffsetCommitRequestTopicPartition) *kerr.Error { return err })
}

// RefuseFetch answers an OffsetFetch of one group with an error.
func RefuseFetch(group string, err *kerr.Error) FetchResponse {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = group
	resp.ErrorCode = err.Code
	return resp
}

// RefuseForget answers an OffsetDelete with an error for the whole request.
func RefuseForget(err *kerr.Error) *ForgetResponse {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	resp.ErrorCode = err.Code
	return resp
}

// RefuseDescribe answers a DescribeGroups of one group with an error.
func RefuseDescribe(group string, err *kerr.Error) Description {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group = group
	d.ErrorCode = err.Code
	return d
}

// RefuseConsumerBeat answers a ConsumerGroupHeartbeat with an error, and where
// there is something to say, says it.
func RefuseConsumerBeat(err *kerr.Error, message string) *ConsumerBeatResponse {
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	resp.ErrorCode, resp.ErrorMessage = err.Code, optional(message)
	return resp
}

// RefuseConsumerDescribe answers a ConsumerGroupDescribe of one group with an
// error.
func RefuseConsumerDescribe(group string, err *kerr.Error, message string) ConsumerDescription {
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group = group
	d.ErrorCode, d.ErrorMessage = err.Code, optional(message)
	return d
}

// code is the code on the wire: 0 for no error.
func code(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}
