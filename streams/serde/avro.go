package serde

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace-io/millrace/schema"
)

// ErrUnavailable is wrapped by an error that says nothing about the record:
// what the serde needs cannot be reached. It always stops the application,
// never sends records to the dead letters.
var ErrUnavailable = errors.New("the schema registry cannot be reached")

type avroSerde[T any] struct {
	serde *schema.Serde[T]
	err   error
}

// Avro is registered Avro of the struct type T, as [schema.Avro] makes it. A
// schema that cannot be derived from T is a fault of the topology, which
// streams.New reports with the node's name.
func Avro[T any](client *schema.Client, opts ...schema.Option) Serde[T] {
	s, err := schema.Avro[T](client, opts...)
	return avroSerde[T]{s, err}
}

// Check tells why the serde cannot work; package streams asks when the
// topology is built.
func (s avroSerde[T]) Check() error { return s.err }

func (s avroSerde[T]) Encode(topic string, v T) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	b, err := s.serde.Encode(context.Background(), topic, v)
	return b, unavailable(err)
}

func (s avroSerde[T]) Decode(topic string, b []byte) (T, error) {
	if s.err != nil {
		var zero T
		return zero, s.err
	}
	v, err := s.serde.Decode(context.Background(), topic, b)
	return v, unavailable(err)
}

func unavailable(err error) error {
	if errors.Is(err, schema.ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
