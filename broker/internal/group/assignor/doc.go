// Package assignor divides partitions among the members of a consumer group on
// the server's side (KIP-848).
//
// An assignor is a pure function from topics, members and what the members had
// to what they shall have. Members and topics come in an order of the caller's,
// and equal input gives equal output, so that a coordinator that takes over
// moves nothing.
//
//	uniform  as even as the subscriptions allow, and sticky: a partition moves
//	         only where the balance wants it
//	range    per topic a contiguous range for each subscriber, so that equally
//	         partitioned topics are read in pairs (co-partitioning); it is
//	         balanced per topic, and not sticky
//
// Racks are not looked at: every partition is as near as any other.
package assignor
