// Package mirrormaker copies topics from one Kafka cluster to another.
//
// A [Flow] names the two clusters, the topics and the rules; it is an entry of
// mirrors in the file of configuration. A [Mirror] runs one flow: it finds the
// topics, creates them at the target with the same partition counts and
// configs, and copies every partition to the partition of the same number,
// record by record, with key, value, headers, timestamp, compression and order
// kept.
//
//	source                                                     target
//	partition ─ fetch ─ Mirror ─ produce, same partition ───── partition
//	                       └──── position, after the ack ───── __millrace_mirror_state
//
// # Progress
//
// Progress lives in the target, so a flow that was killed goes on anywhere.
// Under idempotent delivery a position record follows the data, and says which
// source offset comes next together with the timestamp and hash of the last
// copied record. At the start the records behind that position are compared
// with the source one by one (internal/progress), so a kill between data and
// position neither loses a record nor copies one twice. The comparison takes
// for granted that nobody else writes to the target topic, and finds out when
// somebody does.
//
// Delivery exactly_once needs a cluster with transactions and is refused until
// the mirror can use them.
//
// # What stops a partition
//
// A gap at the source, a source that lost records, a topic that was deleted
// and created again, a record that the target refuses: each stops the one
// partition, with a reason and a remedy in [Mirror.Status], and no other.
// Nothing is reset silently. Flows that would send a topic back to the cluster
// it came from are refused; that goes by cluster id and not by name.
//
// Both clusters are reached through package cluster alone, so any Kafka can be
// on either side. The formats are drawn in docs/format/mirror.md.
package mirrormaker
