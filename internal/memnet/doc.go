// Package memnet is the network as a value: listeners and connections in
// memory that behave like TCP on one machine.
//
// A connection is two bounded buffers. A write returns once its bytes are
// buffered, not when they are read, so a server that answers before it reads
// on does not hang where it would not hang on a socket. A full buffer blocks
// the writer, as a full socket buffer does. What was written before a Close
// can still be read, then comes io.EOF; [Network.Break] resets connections in
// the middle instead.
//
// Everything waits on channels and timers, and no mutex is held over a wait:
// inside a testing/synctest bubble a goroutine blocked here is durably
// blocked, so virtual time moves. The Network and what uses it must then be
// made inside the bubble.
package memnet
