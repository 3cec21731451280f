// Package controller decides what becomes of the cluster's metadata: which
// topics there are, where their replicas stand, who leads, what configs hold.
//
// It is pure. A [State] is an image and the rules; each request is a method
// that returns records and a result for each item:
//
//	request ──▶ State.CreateTopics ──▶ records  ──▶ quorum.Propose ──▶ applied ──▶ reply
//	                    ▲              results ────────────────────────────────────▶
//	              speculative image
//
// Nothing is changed by deciding. The caller (the active controller's serial
// queue in package quorum) proposes the records as one raft entry and replies
// when the entry is applied. The image is speculative: it holds what is
// proposed and not yet committed, so that decisions follow each other without
// waiting. Records, not requests, go into the log: evaluation may differ
// between versions of the program, replay must not.
//
// Items of one request see each other: the second of two topics whose names
// collide is refused, although the first exists only in this request. An item
// that is refused leaves no record.
//
// Refusals are [Error] values: a Kafka error and a message that says what,
// why and what to try. Kafka's protocol is this package's domain, but its
// message types are not: requests and results are types of its own.
//
// # Elections
//
// A partition's leader is the first live replica, in the order of its
// assignment, of its ISR; where the ISR is empty, of its ELR (KIP-966); else
// the last known leader, once it is alive. Each election raises the leader
// epoch, also of the same broker again. A broker that starts is registered
// fenced, which takes its leaderships, and then unfenced, which elects it: so
// every start raises leader epochs, and what an earlier life still has in
// flight is fenced.
package controller
