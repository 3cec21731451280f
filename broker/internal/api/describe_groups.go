package api

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups (key 15, v0-6), ListGroups (key 16, v0-5; KIP-518, KIP-848)
// and DeleteGroups (key 42, v0-3).
//
// A group that is not there is described as Dead without an error up to v5,
// and with GROUP_ID_NOT_FOUND in v6 (KIP-1043).

const (
	groupDead    = "Dead"
	groupClassic = "classic"
)

// gather collects n answers that come in any order, on any goroutine, and
// calls done with the last one.
func gather(n int, ask func(i int, answered func()), done func()) {
	if n == 0 {
		done()
		return
	}
	var left atomic.Int64
	left.Store(int64(n))
	for i := range n {
		ask(i, func() {
			if left.Add(-1) == 0 {
				done()
			}
		})
	}
}

func (b *Broker) describeGroups(c call, req *kmsg.DescribeGroupsRequest, reply func(*kmsg.DescribeGroupsResponse)) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(req.Groups))
	gather(len(req.Groups), func(i int, answered func()) {
		b.Coordinator.DescribeGroup(c.ctx, req.Groups[i], func(group kmsg.DescribeGroupsResponseGroup) {
			if c.Version >= 6 && group.ErrorCode == 0 && group.State == groupDead {
				group.ErrorCode = kerr.GroupIDNotFound.Code
				group.ErrorMessage = new("there is no group " + req.Groups[i])
			}
			resp.Groups[i] = group
			answered()
		})
	}, func() { reply(resp) })
}

func (b *Broker) listGroups(_ call, req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	resp := kmsg.NewPtrListGroupsResponse()
	groups, code := b.Coordinator.ListGroups()
	resp.ErrorCode = code
	for _, g := range groups {
		if g.GroupType == "" {
			g.GroupType = groupClassic
		}
		if admits(req.StatesFilter, g.GroupState) && admits(req.TypesFilter, g.GroupType) {
			resp.Groups = append(resp.Groups, g)
		}
	}
	return resp
}

// admits says that a filter is empty or names the value, in any case.
func admits(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}

func (b *Broker) deleteGroups(c call, req *kmsg.DeleteGroupsRequest, reply func(*kmsg.DeleteGroupsResponse)) {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(req.Groups))
	gather(len(req.Groups), func(i int, answered func()) {
		b.Coordinator.DeleteGroup(c.ctx, req.Groups[i], func(code int16) {
			group := kmsg.NewDeleteGroupsResponseGroup()
			group.Group, group.ErrorCode = req.Groups[i], code
			resp.Groups[i] = group
			answered()
		})
	}, func() { reply(resp) })
}
