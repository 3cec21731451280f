package group

import "time"

// ConsumerOptions are the broker's settings for groups of the consumer protocol
// (KIP-848).
type ConsumerOptions struct {
	Timing
	// TimingOf gives the intervals of one group, where groups may have their
	// own (consumer.heartbeat.interval.ms, consumer.session.timeout.ms). Nil
	// means that all have the broker's.
	TimingOf func(group string) Timing
	// MaxSize bounds the members of a group; 0 means no bound.
	MaxSize int
	// Assignors are the names that members may choose from, the first for
	// groups whose members do not choose. Empty means all, uniform first.
	Assignors []string
	// Migration says which way groups may change protocol while they have
	// members.
	Migration Migration
}

// Timing are a group's intervals.
type Timing struct {
	HeartbeatInterval time.Duration // that members are told
	SessionTimeout    time.Duration
}

// Migration is group.consumer.migration.policy.
type Migration struct {
	// Upgrade lets a member of the consumer protocol into a classic group,
	// which becomes a consumer group.
	Upgrade bool
	// Downgrade turns a consumer group into a classic one when only members
	// of the classic protocol are left.
	Downgrade bool
}
