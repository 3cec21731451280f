// Package group is the consumer group as a pure machine: membership, committed
// offsets, the rebalances of the classic protocol (KIP-62, 211, 345, 394, 496,
// 814), and the reconciliation of the consumer protocol (KIP-848, 1082, 1251).
//
// A [State] is one group. Every event is a method that takes a [Turn], which
// carries the time and collects the effects: records to append to
// __consumer_offsets, and replies to hand out. Nothing here starts a
// goroutine, takes a lock, reads a clock or touches a socket or a file, so a
// group is tested by scripts that read as dialogues (testdata).
//
// # The classic protocol
//
// The members agree on a generation together: all join, one of them assigns, all
// get what they were assigned.
//
//	       join (from Empty: after the initial delay)
//	Empty ────────────────▶ PreparingRebalance ◀───────────────┐
//	  ▲                        │ all members joined,           │ join, leave,
//	  │ the last member        │ or the rebalance timeout      │ session over,
//	  │ is gone                ▼                               │ sync overdue
//	  └──────────────── CompletingRebalance ──────────▶ Stable ┘
//	                                 the leader's sync
//
// # The consumer protocol
//
// The coordinator assigns, and each member goes to its target alone, by its
// heartbeats. Everything is in three epochs: the group's grows with members,
// subscriptions and topics; that of the target assignment follows it at the next
// heartbeat; a member's is that of the target it has reached (reconcile).
//
//	group epoch ──assignor──▶ target epoch ──reconcile──▶ member epoch
//
//	Empty ──▶ Assigning ──▶ Reconciling ──▶ Stable
//
// A group is of the protocol that its first member speaks. One with members
// changes to the other while they work (upgrade, downgrade), if the options
// allow it; members of the classic protocol take every epoch for a generation.
// The files consumer_*.go are the consumer protocol, migrate_*.go the changes,
// and package assignor divides partitions.
//
// # What lasts and what does not
//
// A coordinator may vanish at any time, and another replays the log. What must
// survive that (the last agreed generation with its members and assignments,
// and the offsets) changes only in [State.Apply], by the record that is also
// appended, live and on load alike. What may be lost (who has joined the
// rebalance at hand, member ids handed out and not yet used, session
// deadlines) lives in plain fields: members find out by an error and join
// anew, as they do with Kafka.
//
// A State therefore runs ahead of its log. The caller appends the records of a
// Turn before it hands out any reply, holds back those marked [Reply.Settled]
// until the log has committed everything appended so far, and drops the State
// for a fresh replay where an append fails.
//
// # Time
//
// [State.Deadline] says when [State.Tick] is wanted. It may be early, never
// late: a heartbeat moves its member's deadline without searching the others.
//
// # The protocol's types
//
// Requests and responses are kmsg's, under the names of messages.go, so that
// the coordinator above needs no import of its own. Errors are Kafka's codes.
package group
