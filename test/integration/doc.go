// Package integration runs the real command beside real clients and servers:
// kcat, kafkajs, Apache Kafka, kill -9, and the test suites of franz-go, goka
// and kafka-go, which it compiles from their modules. Its tests have the build
// tag integration, and `make integration` installs what they need.
//
// docs/conformance.md says what of the suites runs, and how Apache Kafka does.
package integration
