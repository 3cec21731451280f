// Package server carries frames between connections and a [Handler]. It knows
// lengths, keys and order, and nothing of what a request means.
//
//	          ┌──────────── reader ────────────┐        ┌────────── writer ─────────┐
//	conn ───► length, key ► limit ► buffer ► Serve ──► ring ──► ready prefix ► Encode ──► conn
//	          └───────────────────────────────┘    │        └───────────────────────────┘
//	                                               └ parked: waits for a flush, for bytes, for members
//
// # Order
//
// A connection's replies leave in the order of its requests, and one request
// is served at a time, as Kafka does it, with one exception: a Produce starts
// while the replies of earlier Produce requests still wait, so that they share
// a flush. Every other request starts when the ring is empty. The reader
// meanwhile waits for the next frame, and so notices a connection that ends:
// its context ends, and what is parked is cancelled.
//
// # Bounds
//
// A length is checked before anything is allocated for it: Produce may have
// Config.MaxRequestBytes, all other APIs Config.MaxOtherBytes. A frame must be
// complete within Config.FrameTimeout of its length. The bytes of all frames
// that are being read or served are bounded by Config.MaxQueuedBytes, replies
// that wait by the ring. Small frames are served from the buffer that reads
// ahead; together these take at most a quarter of Config.MaxQueuedBytes, and
// 4 KiB of each connection beyond that. An idle connection holds two goroutines
// and no buffer.
//
// # Throttling
//
// A client that has used up its quota gets its reply at once, and the reply
// says for how long the [Mute] of the connection leaves further requests
// unread (KIP-219). A [Gate] slows down those who connect too often: all
// together by a pause of the listener, an address by holding its connection
// before it is closed (KIP-612).
//
// # Writing
//
// The writer takes all replies that are ready at the head of the ring and
// sends them with one write. Record batches come as ranges of files: on a bare
// TCP connection ranges of 32 KiB and more go out by sendfile, with an
// explicit offset, and everything else is read right behind the bytes that
// precede it in a pooled buffer, which costs no copy and is why there is no
// vectored write.
//
// # Goroutines and time
//
// [Server.Serve] blocks, owns the goroutines of its connections and returns
// when all have ended. When its context ends it drains: no frame is read any
// more, what has been appended is still answered, everything else is dropped,
// and after Config.DrainTimeout connections are closed. Deadlines of replies
// are values; one timer per connection serves the head of its ring, since no
// reply can leave before it. No mutex is held over a wait, so connections in
// memory run in a synctest bubble.
package server
