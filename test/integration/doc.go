// Package integration runs the real command beside real clients and servers:
// kcat, Apache Kafka, kill -9. Its tests have the build tag integration, and
// `make integration` installs what they need.
package integration
