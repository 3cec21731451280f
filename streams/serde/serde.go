package serde

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Serde encodes and decodes values of one type. The topic is the one that the
// bytes are read from or written to; formats with a schema name their subject
// after it.
type Serde[T any] interface {
	// Encode gives the bytes of v. They are never nil.
	Encode(topic string, v T) ([]byte, error)
	// Decode is the inverse. The input is never nil and belongs to the
	// caller.
	Decode(topic string, b []byte) (T, error)
}

// ErrInvalidUTF8 is returned for a string that is not valid UTF-8.
var ErrInvalidUTF8 = errors.New("not valid UTF-8")

type stringSerde struct{}

// String is UTF-8 text. Other bytes are an error on decoding, since a key
// that does not survive its own round trip would lose its state.
func String() Serde[string] { return stringSerde{} }

func (stringSerde) Encode(_ string, v string) ([]byte, error) {
	return append(make([]byte, 0, len(v)), v...), nil
}

func (stringSerde) Decode(_ string, b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", ErrInvalidUTF8
	}
	return string(b), nil
}

type int64Serde struct{}

// Int64 is eight bytes, big-endian: Kafka's LongSerializer.
func Int64() Serde[int64] { return int64Serde{} }

func (int64Serde) Encode(_ string, v int64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(v)), nil
}

func (int64Serde) Decode(_ string, b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("int64: %d bytes, need 8", len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

type bytesSerde struct{}

// Bytes passes bytes through. Decode copies, so the value may be kept.
func Bytes() Serde[[]byte] { return bytesSerde{} }

func (bytesSerde) Encode(_ string, v []byte) ([]byte, error) {
	return append(make([]byte, 0, len(v)), v...), nil
}

func (bytesSerde) Decode(_ string, b []byte) ([]byte, error) {
	return append(make([]byte, 0, len(b)), b...), nil
}

type jsonSerde[T any] struct{}

// JSON is encoding/json's text of T.
func JSON[T any]() Serde[T] { return jsonSerde[T]{} }

func (jsonSerde[T]) Encode(_ string, v T) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	return b, nil
}

func (jsonSerde[T]) Decode(_ string, b []byte) (T, error) {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("json: %w", err)
	}
	return v, nil
}
