package group

import (
	"slices"
	"time"

	"github.com/millrace-io/millrace/broker/internal/group/assignor"
)

// A MemberState is where a member of the consumer protocol stands on its way
// to the target assignment. The numbers are those of the log.
type MemberState int8

const (
	// Reconciled: the member has all that its epoch's target gives it.
	Reconciled MemberState = 0
	// Unrevoked: it has to give up partitions before it moves on.
	Unrevoked MemberState = 1
	// Unreleased: it waits for partitions that others have still to give up.
	Unreleased MemberState = 2
)

func (m MemberState) String() string {
	switch m {
	case Reconciled:
		return "Reconciled"
	case Unrevoked:
		return "Unrevoked"
	case Unreleased:
		return "Unreleased"
	}
	return "Unknown"
}

// The epochs that a member sends to say something else (KIP-848).
const (
	joinEpoch  int32 = 0
	leaveEpoch int32 = -1
	// awayEpoch is said by a static member that will be back, and is its epoch
	// until then.
	awayEpoch int32 = -2
)

// MemberInfo is what a member has said of itself, as the log keeps it.
type MemberInfo struct {
	Instance         string // "" for a dynamic member
	Rack             string // "" where it has none
	Client           Client
	Topics           []string // in order, each once
	Pattern          string   // "" where it has none
	RebalanceTimeout time.Duration
	Assignor         string // "" where it has no wish
	// Classic is set for a member that speaks the classic protocol in a group
	// that is migrating.
	Classic *ClassicInfo
}

// ClassicInfo is what a member of the classic protocol has said beside.
type ClassicInfo struct {
	SessionTimeout time.Duration
	Protocols      []protocol
}

func (i *MemberInfo) equal(other *MemberInfo) bool {
	return i.Instance == other.Instance && i.Rack == other.Rack && i.Client == other.Client &&
		slices.Equal(i.Topics, other.Topics) && i.Pattern == other.Pattern &&
		i.RebalanceTimeout == other.RebalanceTimeout && i.Assignor == other.Assignor &&
		i.Classic.equal(other.Classic)
}

func (c *ClassicInfo) equal(other *ClassicInfo) bool {
	if c == nil || other == nil {
		return c == other
	}
	return c.SessionTimeout == other.SessionTimeout && slices.EqualFunc(c.Protocols, other.Protocols, protocol.equal)
}

// sameSubscription reports whether both read the same.
func (i *MemberInfo) sameSubscription(other *MemberInfo) bool {
	return slices.Equal(i.Topics, other.Topics) && i.Pattern == other.Pattern
}

// Current is where a member stands, as the log keeps it.
type Current struct {
	Epoch int32
	// Previous is the epoch before. A member whose reply was lost comes with
	// it once more.
	Previous int32
	State    MemberState
	// Assigned is what the member may use.
	Assigned Holding
	// Revoking is what it has to give up, and still owns as far as others are
	// concerned.
	Revoking Holding
}

func (c *Current) equal(other *Current) bool {
	return c.Epoch == other.Epoch && c.Previous == other.Previous && c.State == other.State &&
		c.Assigned.equal(other.Assigned) && c.Revoking.equal(other.Revoking)
}

// assignedIn is the epoch in which the member got a partition that it owns.
func (c *Current) assignedIn(topic TopicID, partition int32) (int32, bool) {
	if epoch, ok := c.Assigned[topic][partition]; ok {
		return epoch, true
	}
	epoch, ok := c.Revoking[topic][partition]
	return epoch, ok
}

// A consumerMember takes part in a group of the consumer protocol.
type consumerMember struct {
	id string

	// What the log holds of it, each in a record of its own.
	info    MemberInfo
	current Current
	target  assignor.Assignment
	// recorded says that the log has heard of the member.
	recorded bool

	// deadline ends the session.
	deadline time.Time
	// revokeBy is when a member that has to give up partitions has had its
	// rebalance timeout for it. Zero while it has none to give up.
	revokeBy time.Time
	// joinBy and syncBy bound the steps of a member that speaks the classic
	// protocol. Zero while it owes none.
	joinBy time.Time
	syncBy time.Time
}

// classic reports whether the member speaks the classic protocol.
func (m *consumerMember) classic() bool { return m.info.Classic != nil }

// reconciled reports whether the member has reached a target.
func (m *consumerMember) reconciled(epoch int32) bool {
	return m.current.State == Reconciled && m.current.Epoch == epoch
}
