// Package serde turns keys and values into bytes and back.
//
// A [Serde] is given at every place where a type meets a topic; there are no
// default serdes, so a wrong one is a compile error and not a surprise in
// production:
//
//	streams.Stream(b, "lines", streams.With(serde.String(), serde.Bytes()))
//
// The formats of String, Int64 and Bytes are those of Kafka's own serializers
// of the same types, so that any client reads them.
//
// Null is not a value. A nil key or value of a record never reaches a Serde:
// the runtime carries it as null. An empty slice is an empty value.
//
// A Serde is used by many tasks at the same time and must be safe for that.
// Decode may keep no reference to its input.
package serde
