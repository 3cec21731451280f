// Package wait lets a request wait on any of many partitions.
//
// A [Queue] belongs to one partition and knows how far it has come: an offset
// and the bytes before it, say of the high watermark. A [Waiter] belongs to
// one request and is linked into the queues of all its partitions. It is
// woken once:
//
//   - a Produce with acks=all, when every partition has reached the offset it
//     waits for or has failed;
//   - a Fetch, when the bytes that arrived on all its partitions together
//     meet its need (min.bytes), or when one of them fails.
//
// There is no purgatory and no timer: a deadline is the connection's
// business, which calls [Waiter.Cancel] when it passes.
//
// # Use
//
//	w := wait.New(wake)            // once; the waiter is used again and again
//	w.Begin(0)                     // a Produce; Begin(missing bytes) for a Fetch
//	queue.AwaitOffset(w, term, last+1)
//	if !w.Arm() { reply now }      // all reached meanwhile: wake is not called
//	...                            // wake is called, or the deadline passes:
//	if !w.Cancel() { wake is called, or has been }
//	w.End()                        // before the next Begin
//	w.Err(i)                       // outcome of the i-th AwaitOffset
//
// # Watches
//
// A fetch session asks for the same partitions again and again. Its [Watches]
// stay linked into their queues between requests and say which have moved:
//
//	queue.Watch(&part.watch, &set)       // once for each partition
//	set.Moved(func(w *Watch) { ... })    // those to look at
//	w.Begin(missing)
//	if !set.Await(w) { look again }      // something moved meanwhile
//	if !w.Arm() { reply now }
//	...
//	set.End()                            // before w.End
//
// # Cost
//
// To add, wake and cancel cost O(1) for each queue and allocate nothing once
// a waiter has served a request as wide. Waiters for offsets are kept in the
// order of their offsets, so an advance touches only those it wakes. An
// advance tells every Fetch on the partition of its bytes; one whose need is
// not met yet costs a subtraction.
//
// # Locks
//
// A queue's mutex comes before that of a set of watches, which is a leaf:
// nothing is called under either but what Moved is given. Wake functions are not called by Advance and Fail but by
// [Woken.Wake], so that the partition can first give up its own lock. Package
// wait needs no other package of this module.
package wait
