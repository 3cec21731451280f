package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Leave takes members out. Static ones may be named by their instance alone,
// which is how an operator removes one that will not come back (KIP-345).
func (s *State) Leave(t *Turn, req *LeaveRequest) {
	if s.id == "" {
		t.Reply(RefuseLeave(kerr.InvalidGroupID))
		return
	}
	resp := kmsg.NewPtrLeaveGroupResponse()
	left := 0
	for _, who := range req.Members {
		if s.consumer != nil {
			resp.Members = append(resp.Members, goodbye(who, s.leaveMigrating(t, who)))
			continue
		}
		m, err := s.leaver(who)
		switch {
		case err == nil:
			s.remove(t, m)
			left++
		case s.isPending(who.MemberID):
			delete(s.pending, who.MemberID)
			err = nil
		}
		resp.Members = append(resp.Members, goodbye(who, err))
	}
	if s.consumer == nil {
		s.removed(t, left)
	}
	t.Reply(resp)
}

func goodbye(who kmsg.LeaveGroupRequestMember, err *kerr.Error) kmsg.LeaveGroupResponseMember {
	r := kmsg.NewLeaveGroupResponseMember()
	r.MemberID, r.InstanceID, r.ErrorCode = who.MemberID, who.InstanceID, code(err)
	return r
}

func (s *State) leaver(who kmsg.LeaveGroupRequestMember) (*member, *kerr.Error) {
	if instance := deref(who.InstanceID); instance != "" && who.MemberID == "" {
		if m := s.members.byInstance[instance]; m != nil {
			return m, nil
		}
		return nil, kerr.UnknownMemberID
	}
	return s.identify(who.MemberID, who.InstanceID)
}
