// Package rest answers Kafka Connect's REST interface for a worker, so that
// kcctl, Kafka's user interfaces and scripts written for Java workers work
// unchanged. What a Java worker answers is the reference; where this one goes
// beyond it the fields are additional.
//
// Every error has the form {"error_code":N,"message":"..."}, those for
// unknown paths and methods too. Bodies are JSON objects of at most 1 MiB.
package rest
