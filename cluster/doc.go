// Package cluster says how to reach a Kafka cluster, and is the one place
// that makes a client for it.
//
// A [Profile] holds what it takes: the bootstrap addresses, TLS, SASL, and for
// a broker in the same process a Dial that goes through memory. Everything
// above the broker (streams, schema, connect, mirrormaker, the command) takes
// a Profile and never an address, so it runs unchanged on the bundled broker,
// on Apache Kafka, on Redpanda or on a hosted service:
//
//	profile := cluster.Profile{Bootstrap: []string{"localhost:9092"}}
//	client, err := profile.Client(kgo.ConsumeTopics("orders"))
//
// Two questions that all of them ask of a cluster are answered here as well:
// [ListBounds] says where partitions begin and end, also just after their topic
// was created, and a [Reader] reads a range of one partition by position, to an
// end that may have no record.
//
// The zero values of all optional fields mean plaintext without
// authentication. Validate reports every fault of a profile at once.
package cluster
