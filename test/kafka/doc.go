// Package kafka starts a real Apache Kafka for tests, from Maven's artifacts,
// on loopback ports. It is what proves that the upper half of Millrace runs on
// any Kafka, and what our own broker is compared with.
//
// It needs Java 17 or newer and mvn. The jars are resolved once into the
// user's cache directory.
package kafka
