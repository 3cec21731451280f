package schema

import (
	"bytes"
	"context"
	"errors"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"
)

// GenericSerde turns records as maps, and Avro JSON text, into registered Avro
// and back. Values have goavro's shapes: a record is a map[string]any, a union
// nil or a map with the branch's name as its only key, an enum a string, bytes
// and fixed a []byte. It is safe for concurrent use.
type GenericSerde struct {
	client *Client
	config serdeConfig

	writers table[string, *genericCodec] // by topic, when the own schema is given
	codecs  table[int, *genericCodec]
}

// genericCodec is a schema made ready for generic values.
type genericCodec struct {
	*written
	id     int
	native *goavro.Codec
}

// Generic makes a serde of records as maps. It writes with the schema of
// FromText or FromFile, or without one with the latest version of the subject.
// It reads with the schema that the data was written with.
func Generic(client *Client, opts ...Option) (*GenericSerde, error) {
	if client == nil {
		return nil, &Error{Op: "configure serde", Offset: -1, Err: as(errors.New("need a client"), ErrInvalid)}
	}
	config, err := newSerdeConfig(opts)
	if err != nil {
		return nil, err
	}
	if config.text != "" {
		if _, err := parseText(config.text, &avro.SchemaCache{}); err != nil {
			return nil, err
		}
	}
	return &GenericSerde{client: client, config: config}, nil
}

// Encode returns a value of goavro's shapes as a registered Avro value.
func (g *GenericSerde) Encode(ctx context.Context, topic string, v any) ([]byte, error) {
	return g.Append(ctx, nil, topic, v)
}

// Append appends a value of goavro's shapes as a registered Avro value to dst.
func (g *GenericSerde) Append(ctx context.Context, dst []byte, topic string, v any) ([]byte, error) {
	codec, err := g.writer(ctx, topic)
	if err != nil {
		return nil, err
	}
	b, err := codec.native.BinaryFromNative(AppendHeader(dst, codec.id), v)
	if err != nil {
		return nil, encodeError(topic, codec.id, err)
	}
	return b, nil
}

// Decode returns the value that data holds, in goavro's shapes.
func (g *GenericSerde) Decode(ctx context.Context, topic string, data []byte) (any, error) {
	codec, payload, err := g.open(ctx, topic, data)
	if err != nil {
		return nil, err
	}
	v, _, err := codec.native.NativeFromBinary(payload)
	if err != nil {
		return nil, decodeError(topic, codec.id, err)
	}
	return v, nil
}

// EncodeJSON returns a value given as Avro JSON text as a registered Avro
// value.
func (g *GenericSerde) EncodeJSON(ctx context.Context, topic string, text []byte) ([]byte, error) {
	codec, err := g.writer(ctx, topic)
	if err != nil {
		return nil, err
	}
	v, rest, err := codec.native.NativeFromTextual(text)
	if err == nil && len(bytes.TrimSpace(rest)) > 0 {
		err = errors.New("more text after the value")
	}
	if err != nil {
		return nil, encodeError(topic, codec.id, err)
	}
	b, err := codec.native.BinaryFromNative(AppendHeader(nil, codec.id), v)
	if err != nil {
		return nil, encodeError(topic, codec.id, err)
	}
	return b, nil
}

// DecodeJSON returns the value that data holds as Avro JSON text, in which a
// union's value names its branch. Fields stand in the schema's order: goavro's
// own text follows the order of a Go map, so the same record would give other
// text each time.
func (g *GenericSerde) DecodeJSON(ctx context.Context, topic string, data []byte) ([]byte, error) {
	codec, payload, err := g.open(ctx, topic, data)
	if err != nil {
		return nil, err
	}
	var v any
	if _, err := codec.avro.Decode(payload, &v, avro.TaggedUnions()); err != nil {
		return nil, decodeError(topic, codec.id, err)
	}
	text, err := codec.avro.EncodeJSON(v, avro.TaggedUnions(), avro.LinkedinFloats())
	if err != nil {
		return nil, decodeError(topic, codec.id, err)
	}
	return text, nil
}

// open finds the codec that data was written with, and scans the payload.
func (g *GenericSerde) open(ctx context.Context, topic string, data []byte) (*genericCodec, []byte, error) {
	id, payload, err := ParseHeader(data)
	if err != nil {
		return nil, nil, atTopic(err, topic)
	}
	codec, err := g.codec(ctx, id)
	if err != nil {
		return nil, nil, unreadable(err, topic, id)
	}
	if err := codec.open(topic, id, data, payload); err != nil {
		return nil, nil, err
	}
	return codec, payload, nil
}

// writer is the codec to write a topic with.
func (g *GenericSerde) writer(ctx context.Context, topic string) (*genericCodec, error) {
	if g.config.text == "" {
		latest, err := g.client.Latest(ctx, g.config.subject(topic, "", g.config.key))
		if err != nil {
			return nil, atTopic(err, topic)
		}
		codec, err := g.codec(ctx, latest.ID)
		return codec, atTopic(err, topic)
	}
	if codec, ok := g.writers.load(topic); ok {
		return codec, nil
	}
	own, err := parseText(g.config.text, &avro.SchemaCache{})
	if err != nil {
		return nil, atTopic(err, topic)
	}
	id, err := g.config.identify(ctx, g.client, topic, fullName(own), Definition{Text: g.config.text})
	if err != nil {
		return nil, err
	}
	codec, err := g.codec(ctx, id)
	if err != nil {
		return nil, atTopic(err, topic)
	}
	g.writers.store(topic, codec)
	return codec, nil
}

// codec compiles the schema with an id for goavro.
func (g *GenericSerde) codec(ctx context.Context, id int) (*genericCodec, error) {
	if codec, ok := g.codecs.load(id); ok {
		return codec, nil
	}
	w, err := g.client.written(ctx, id)
	if err != nil {
		return nil, err
	}
	compiled, err := goavro.NewCodec(w.avro.String())
	if err != nil {
		return nil, &Error{Op: "parse", ID: id, Offset: -1, Err: as(err, ErrInvalid)}
	}
	codec := &genericCodec{written: w, id: id, native: compiled}
	g.codecs.store(id, codec)
	return codec, nil
}
