// Package metadata is what a cluster knows about itself: brokers, topics,
// partitions, configs, producer ids, quotas, credentials. It is a value, not a store.
//
//	record, record, ... ──▶ Delta ──▶ Image, Image, ... ──▶ Publisher ──▶ readers
//	(one raft entry)        (what      (immutable)          (atomic        (API, replica set,
//	                         changes)                        pointer)       coordinators)
//
// An [Image] never changes. The next one is made by a [Delta]: [Image.Edit],
// [Delta.Apply] for each record of an entry, [Delta.Finish]. Images share what
// they have in common: a change of one partition costs that topic's list of
// pointers and a path of a tree, whatever the number of topics.
//
// A [Record] says what is so, not what was asked: the controller decides once,
// on the leader, and every node applies the same records. Applying is
// therefore a pure function of image and record, equal in every version of
// the program that reads the format. A record that does not fit its image
// (an unknown topic, an old broker epoch) is an error, because it means that
// the log is not the one that made the image.
//
// Records have a binary form (docs/format/metadata.md), the same in the log
// and in snapshots. Decoding is bounded by its input and refuses a kind or
// version that it does not know, since skipping it would give this node
// another image than its peers'.
//
// # Epochs
//
//	broker epoch      the index of the entry that registered the broker
//	leader epoch      +1 whenever a PartitionChange names a leader, also the same or none
//	partition epoch   +1 with every PartitionChange
//
// # Publishing
//
// A [Publisher] hands each (Delta, Image) to its subscribers in the order in
// which they subscribed and then swaps the pointer that [Publisher.Image]
// reads. So what a client can see in Metadata is already there to be used.
// Readers never lock.
package metadata
