package schema

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/avro"
)

// Serde turns values of a struct type into registered Avro and back. It is
// safe for concurrent use.
type Serde[T any] struct {
	client *Client
	config serdeConfig
	own    *avro.Schema // the schema written, and what reads resolve to
	record string       // full name of the record
	def    Definition

	ids     table[string, int]  // own schema's id by topic
	readers table[int, *reader] // by writer id
	// values holds *T for Append: handing the address of its argument to
	// twmb/avro would move every value to the heap.
	values sync.Pool
}

// reader reads what one writer wrote.
type reader struct {
	*written
	resolved *avro.Schema // the writer's schema resolved to the own
}

// Avro makes a serde of the struct type T. The schema is derived from T by its
// avro tags (see twmb/avro's SchemaFor), or comes from FromText or FromFile,
// whose fields then match those of T by name. Nothing is contacted yet.
func Avro[T any](client *Client, opts ...Option) (*Serde[T], error) {
	if client == nil {
		return nil, &Error{Op: "configure serde", Offset: -1, Err: as(errors.New("need a client"), ErrInvalid)}
	}
	config, err := newSerdeConfig(opts)
	if err != nil {
		return nil, err
	}
	s := &Serde[T]{client: client, config: config}
	s.values.New = func() any { return new(T) }
	if config.text != "" {
		s.own, err = parseText(config.text, &avro.SchemaCache{})
	} else if s.own, err = avro.SchemaFor[T](config.infer...); err != nil {
		err = &Error{Op: "derive schema", Offset: -1, Err: as(err, ErrInvalid)}
	}
	if err != nil {
		return nil, err
	}
	s.def = Definition{Text: s.own.String(), Type: TypeAvro}
	s.record = fullName(s.own)
	return s, nil
}

// Schema is the text of the schema that the serde writes.
func (s *Serde[T]) Schema() string { return s.def.Text }

// Encode returns v as a registered Avro value.
func (s *Serde[T]) Encode(ctx context.Context, topic string, v T) ([]byte, error) {
	return s.Append(ctx, nil, topic, v)
}

// Append appends v as a registered Avro value to dst. The first write to a
// topic asks the registry for the schema's id; after that Append allocates
// nothing but what dst grows by.
func (s *Serde[T]) Append(ctx context.Context, dst []byte, topic string, v T) ([]byte, error) {
	id, ok := s.ids.load(topic)
	if !ok {
		var err error
		if id, err = s.identify(ctx, topic); err != nil {
			return nil, err
		}
	}
	p := s.values.Get().(*T)
	*p = v
	b, err := s.own.AppendEncode(AppendHeader(dst, id), p)
	var zero T
	*p = zero // the pool must not keep what v points to
	s.values.Put(p)
	if err != nil {
		return nil, encodeError(topic, id, err)
	}
	return b, nil
}

// Decode returns the value that data holds, resolved to the serde's schema.
func (s *Serde[T]) Decode(ctx context.Context, topic string, data []byte) (T, error) {
	var v T
	err := s.DecodeInto(ctx, topic, data, &v)
	return v, err
}

// DecodeInto decodes data into v, reusing what v holds. After an error v is
// undefined.
func (s *Serde[T]) DecodeInto(ctx context.Context, topic string, data []byte, v *T) error {
	id, payload, err := ParseHeader(data)
	if err != nil {
		return atTopic(err, topic)
	}
	r, ok := s.readers.load(id)
	if !ok {
		if r, err = s.reader(ctx, topic, id); err != nil {
			return err
		}
	}
	if err := r.open(topic, id, data, payload); err != nil {
		return err
	}
	if _, err := r.resolved.Decode(payload, v); err != nil {
		return decodeError(topic, id, err)
	}
	return nil
}

// identify finds the own schema's id under the topic's subject, or registers
// the schema.
func (s *Serde[T]) identify(ctx context.Context, topic string) (int, error) {
	id, err := s.config.identify(ctx, s.client, topic, s.record, s.def)
	if err != nil {
		return 0, err
	}
	s.ids.store(topic, id)
	return id, nil
}

// reader compiles the resolution from the writer's schema to the own one.
func (s *Serde[T]) reader(ctx context.Context, topic string, id int) (*reader, error) {
	w, err := s.client.written(ctx, id)
	if err != nil {
		return nil, unreadable(err, topic, id)
	}
	resolved, err := avro.Resolve(w.avro, s.own)
	if err != nil {
		return nil, unresolvable(topic, id, err)
	}
	r := &reader{written: w, resolved: resolved}
	s.readers.store(id, r)
	return r, nil
}
