// Package api answers Kafka requests: one file per API, one table of all.
//
//	server ── Request ──► Broker.Serve ──► Table: key, versions, handler
//	                                         │
//	  produce.go fetch.go ── wire ───────────┼──► replica.Set ──► commitlog
//	  join_group.go ... ──── kmsg ───────────┼──► Coordinator
//	  create_topics.go ... ─ kmsg ───────────┼──► Controller
//	  metadata.go ... ────── kmsg ───────────┴──► metadata.Image
//
// [Table] is what ApiVersions advertises, what Serve dispatches by, and what
// docs/protocol.md is made from. The head of each file says what its API
// promises and where it differs from Kafka.
//
// # Replies
//
// A handler answers in one of four ways:
//
//   - at once, from the image (now);
//   - later, when the coordinator calls back (later);
//   - after a decision of the controller, on a goroutine of its own, because
//     that waits (blocking);
//   - Produce and Fetch by pooled replies, which embed what they wait with and
//     allocate nothing per request.
//
// # Errors
//
// Packages below return sentinels; [codeOf] in errors.go is the one place that
// turns them into Kafka's codes. Controller and groups speak Kafka's errors
// themselves.
//
// # Names
//
// Metadata and FindCoordinator name every broker by the address that it
// advertises under the name of the listener that the request came by, so a
// client inside the process, one in a container and one outside each get an
// address that they can reach.
package api
