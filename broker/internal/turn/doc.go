// Package turn is what a pure state machine and its shell tell each other: an
// event with its time, and what the event leaves to be done. The machines of
// packages group and txn fill a Turn, and package coordinator carries it out:
//
//	append Records as one batch  ──▶  hand out Replies and Effects, those that
//	                                  are settled when the log has committed it
package turn
