// Package registry is a schema registry: the REST API of Confluent's over a
// compacted topic of any Kafka.
//
//	reg, err := registry.New(registry.Config{Cluster: profile})
//	go reg.Run(ctx)
//	<-reg.Ready()
//	http.ListenAndServe("localhost:8081", reg.Handler())
//
// # How it is built
//
//	        Handler (REST: routes, bodies, errors)
//	         | plan                        ^ look up
//	         v                             |
//	records ---> log: produce ---> _schemas ---> log: consume ---> State.Apply
//
// [State] is a pure state machine. It changes only through the records of the
// topic, live and on load alike. A write is planned against the state, its
// records are produced, and the answer leaves when the state has applied them;
// one write is under way at a time. So a process that dies at any point leaves
// nothing but records, and the next one reads the same state from them.
//
// # Storage
//
// Records are Confluent's to the byte (record.go has their forms), so a
// registry of theirs can take the topic over, and back. The topic has one
// partition and is compacted. A topic that is not compacted forgets schemas,
// and one of several partitions has no order: Run refuses both and says what
// to set.
//
// Reading is lenient: any order of properties, either magic. What cannot be
// read is counted and skipped, never fatal. Since compaction goes by the bytes
// of the key, the state remembers the exact keys of what it read and a
// permanent delete writes a tombstone for each.
//
// The first binding of an id wins: a later record that gives the id to another
// schema is a conflict, counted and ignored, on every node alike.
//
// # One writer
//
// This version has one writing process, with an idempotent producer. Two
// registries must not write the same topic.
//
// # What it holds
//
// Avro schemas with references, soft and hard deletes, compatibility at all
// levels, normalization, and the modes READWRITE, READONLY and
// READONLY_OVERRIDE. JSON and PROTOBUF schemas that are in the topic are
// served; registering one answers 42201.
package registry
