// Package broker embeds a Kafka broker in a Go process.
//
//	b, err := broker.Start(ctx, broker.Config{DataDir: "/var/lib/millrace"})
//	client, err := b.Cluster().Client()          // through memory
//	defer b.Close()
//
// It speaks Kafka's wire protocol on the listeners of its Config, and keeps
// logs and metadata in Kafka's own file formats. acks=all means that a record
// is on disk: the high watermark follows the flush, by group commit. The same
// code runs in a unit test in memory, on a laptop and on a server.
//
// # Inside
//
//	conn ─ bytes ─ server ─ wire ─ api ─ replica ─ commitlog
//	                                └ Reply ─ wait ─ wire ─ conn
//
//	server       connections: frames, limits, ordered replies
//	wire         Produce and Fetch by hand, the other APIs by kmsg
//	api          one table of APIs, one file per API
//	replica      partitions: leadership, high watermark, producers, waits
//	commitlog    one partition's segments and indexes
//	datadir      one data directory: lock, checkpoints, flusher, retention
//	coordinator  a log partition as a replicated state machine; group is what
//	             it runs
//	quorum       the metadata log by Raft; metadata is its state, controller
//	             decides what goes into it
//
// The data plane never calls upward. The control plane enters it in one place,
// apply.go: what the metadata log says becomes opened partitions, leaders,
// configs and coordinators. forward.go takes decisions to the active
// controller; register.go makes a life of the broker known.
//
// docs/ARCHITECTURE.md walks a produce, a fetch, a join and a create-topic
// through the files.
//
// # Start
//
// Start returns when clients can use the broker: the directory is locked and
// read, the listeners are bound, the quorum has a leader, this life of the
// broker is registered and unfenced (every start raises leader epochs), the
// partitions are open and the groups loaded. Close ends it in order; a process
// that dies instead loses nothing that was acked.
package broker
