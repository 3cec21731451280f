package task

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/millrace-io/millrace/streams/internal/topology"
)

// Header names of a dead letter: KIP-1034's, and two of our own.
const (
	headerException = "__streams.errors.exception"
	headerMessage   = "__streams.errors.message"
	headerTopic     = "__streams.errors.topic"
	headerPartition = "__streams.errors.partition"
	headerOffset    = "__streams.errors.offset"
	headerStack     = "__streams.errors.stacktrace"
	headerNode      = "__millrace.errors.node"
	headerStage     = "__millrace.errors.stage"
)

// deadLetter is the input record as it was read, with the reason in headers.
func deadLetter(topic string, f *topology.Fault) topology.Outgoing {
	header := func(key, value string) topology.Header {
		return topology.Header{Key: key, Value: []byte(value)}
	}
	headers := append(slices.Clip(f.Record.Headers),
		header(headerException, exception(f.Err)),
		header(headerMessage, f.Err.Error()),
		header(headerTopic, f.Record.Topic),
		header(headerPartition, strconv.Itoa(int(f.Record.Partition))),
		header(headerOffset, strconv.FormatInt(f.Record.Offset, 10)),
		header(headerNode, f.Node),
		header(headerStage, f.Stage.String()),
	)
	if p, ok := f.Err.(*topology.Panic); ok { //nolint:errorlint // of this fault itself, not of what a function returned
		headers = append(headers, topology.Header{Key: headerStack, Value: p.Stack})
	}
	return topology.Outgoing{
		Topic:     topic,
		Partition: topology.AnyPartition,
		Timestamp: max(f.Record.Timestamp, 0),
		Key:       f.Record.Key,
		Value:     f.Record.Value,
		Headers:   headers,
	}
}

// exception is the error's type, which is what Kafka Streams writes there.
func exception(err error) string { return fmt.Sprintf("%T", err) }
