package serde

import "fmt"

// GokaCodec is what goka asks of a codec. goka.Codec satisfies it and is
// satisfied by it, without an import of goka here.
type GokaCodec interface {
	Encode(value any) (data []byte, err error)
	Decode(data []byte) (value any, err error)
}

// FromGoka makes a Serde of a goka codec whose values are of type T.
func FromGoka[T any](codec GokaCodec) Serde[T] { return fromGoka[T]{codec} }

// ToGoka makes a goka codec of a Serde. The topic is what the Serde is told,
// since goka's codecs do not know theirs.
func ToGoka[T any](s Serde[T], topic string) GokaCodec { return toGoka[T]{s, topic} }

type fromGoka[T any] struct{ codec GokaCodec }

func (s fromGoka[T]) Encode(_ string, v T) ([]byte, error) { return s.codec.Encode(v) }

func (s fromGoka[T]) Decode(_ string, b []byte) (T, error) {
	var zero T
	v, err := s.codec.Decode(b)
	if err != nil {
		return zero, err
	}
	typed, ok := v.(T)
	if !ok {
		return zero, fmt.Errorf("goka codec %T decodes to %T, need %T", s.codec, v, zero)
	}
	return typed, nil
}

type toGoka[T any] struct {
	serde Serde[T]
	topic string
}

func (c toGoka[T]) Encode(value any) ([]byte, error) {
	typed, ok := value.(T)
	if !ok {
		var zero T
		return nil, fmt.Errorf("goka codec for %T was given %T", zero, value)
	}
	return c.serde.Encode(c.topic, typed)
}

func (c toGoka[T]) Decode(data []byte) (any, error) { return c.serde.Decode(c.topic, data) }
