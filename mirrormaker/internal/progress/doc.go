// Package progress knows how far a flow has copied each partition, and how to
// go on after it stopped. All of it is pure.
//
// A [Position] is what the flow keeps in the target, a record per partition in
// the compacted topic __millrace_mirror_state:
//
//	key    {"kind":"position","flow":"dr","topic":"orders","partition":0}
//	value  {"version":1,"next":1200,"topic_id":"...","target":"orders",
//	        "target_next":1200,"timestamp":1431857100000,"hash":"9f2c..."}
//
// next is the source offset to copy next, target_next the offset the target
// had after the last record copied before, and timestamp and hash belong to
// that record.
//
// Under idempotent delivery data is written first and the position after it,
// so the target may hold more than the position says. [Decide] compares the
// position with both ends, and [Tail] then finds the records that were copied
// after it: not by counting, because the source may have been compacted in
// between, but record by record.
package progress
