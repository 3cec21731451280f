package schema

import (
	"context"
	"fmt"
)

// Codec is a serde bound to a topic. By its two methods it satisfies
// goka.Codec, without this package importing goka.
type Codec[T any] struct {
	encode func(T) ([]byte, error)
	decode func([]byte) (T, error)
}

// Codec binds the serde to a topic, for goka. Values may be T or *T; decoding
// returns T.
func (s *Serde[T]) Codec(topic string) *Codec[T] {
	return &Codec[T]{
		encode: func(v T) ([]byte, error) { return s.Encode(context.Background(), topic, v) },
		decode: func(b []byte) (T, error) { return s.Decode(context.Background(), topic, b) },
	}
}

// Codec binds the serde to a topic, for goka.
func (g *GenericSerde) Codec(topic string) *Codec[any] {
	return &Codec[any]{
		encode: func(v any) ([]byte, error) { return g.Encode(context.Background(), topic, v) },
		decode: func(b []byte) (any, error) { return g.Decode(context.Background(), topic, b) },
	}
}

// Encode returns a T or *T as a registered Avro value.
func (c *Codec[T]) Encode(value any) ([]byte, error) {
	switch v := value.(type) {
	case *T:
		if v != nil {
			return c.encode(*v)
		}
	case T:
		return c.encode(v)
	}
	var want T
	return nil, &Error{Op: "encode", Offset: -1, Err: as(fmt.Errorf("value is a %T, need %T", value, want), ErrInvalid)}
}

// Decode returns the T that data holds.
func (c *Codec[T]) Decode(data []byte) (any, error) { return c.decode(data) }
