// Package api answers Kafka requests.
package api
