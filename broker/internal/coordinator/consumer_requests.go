package coordinator

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace-io/millrace/broker/internal/group"
	"github.com/millrace-io/millrace/broker/internal/turn"
)

// The requests of the consumer protocol (KIP-848). Their contract is that of
// requests.go.

// ConsumerGroupHeartbeat replies when the log has what the reply shows.
//
// What a pattern matches is found out here, on the caller's goroutine and
// without the seat's lock: before the heartbeat for the pattern that the member
// names, and after it for those of the group that have not been held against
// the newest topics. So nobody waits for another member's expression.
func (g *Groups) ConsumerGroupHeartbeat(_ context.Context, clientID, clientHost string, req *group.ConsumerBeatRequest, reply func(*group.ConsumerBeatResponse)) {
	client := group.Client{ID: clientID, Host: clientHost}
	var match *group.Match
	if pattern := req.SubscribedTopicRegex; pattern != nil && *pattern != "" {
		m, err := g.patterns.match(*pattern)
		if err != nil {
			reply(group.RefuseConsumerBeat(kerr.InvalidRegularExpression, err.Error()))
			return
		}
		match = m
	}
	var stale []string
	refuse := func(err *kerr.Error) *group.ConsumerBeatResponse { return group.RefuseConsumerBeat(err, "") }
	submit(g.Runtime, req.Group, refuse, reply, func(s *group.State, t *turn.Turn) {
		stale = s.ConsumerHeartbeat(t, client, req, match)
	})
	for _, pattern := range stale {
		g.rematch(req.Group, pattern)
	}
}

// rematch tells a group what a pattern of its members means.
func (g *Groups) rematch(id, pattern string) {
	match, err := g.patterns.match(pattern)
	if err != nil {
		// It was read when a member named it, by a broker of another version.
		g.logger.Warn("the pattern of a consumer group cannot be read", "group", id, "pattern", pattern, "err", err)
		return
	}
	submit(g.Runtime, id, func(*kerr.Error) int16 { return 0 }, func(int16) {}, func(s *group.State, t *turn.Turn) {
		s.Matched(t, pattern, match)
	})
}

// DescribeConsumerGroup describes a group of the consumer protocol.
func (g *Groups) DescribeConsumerGroup(_ context.Context, id string, reply func(group.ConsumerDescription)) {
	refuse := func(err *kerr.Error) group.ConsumerDescription { return group.RefuseConsumerDescribe(id, err, "") }
	submit(g.Runtime, id, refuse, reply, func(s *group.State, t *turn.Turn) { s.DescribeConsumer(t) })
}
