package schema

import (
	"context"
	"fmt"

	"github.com/twmb/avro"

	"github.com/millrace-io/millrace/schema/internal/avroscan"
)

// maxReferences bounds the schemas that one schema may pull in, itself
// included; a registry that is not ours may hold cycles.
const maxReferences = 1024

// written is a schema that data was written with, made ready to read by.
type written struct {
	avro *avro.Schema
	plan *avroscan.Plan
}

// Parsed returns the Avro schema with an id, parsed and with its references
// resolved. It is shared: don't change what its Root returns.
func (c *Client) Parsed(ctx context.Context, id int) (*avro.Schema, error) {
	w, err := c.written(ctx, id)
	if err != nil {
		return nil, err
	}
	return w.avro, nil
}

func (c *Client) written(ctx context.Context, id int) (*written, error) {
	if w, ok := c.parsed.load(id); ok {
		return w, nil
	}
	found, err := c.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	if found.Type != TypeAvro {
		return nil, &Error{Op: "look up", ID: id, Offset: -1,
			Err: as(fmt.Errorf("schema is of type %s, need %s", found.Type, TypeAvro), ErrInvalid)}
	}
	parsed, err := c.parse(ctx, found.Definition)
	if err != nil {
		return nil, err
	}
	whole, err := selfContained(parsed)
	if err != nil {
		return nil, err
	}
	plan, err := avroscan.Compile(whole.Canonical())
	if err != nil {
		return nil, &Error{Op: "parse", ID: id, Offset: -1, Err: as(err, ErrInvalid)}
	}
	w := &written{avro: whole, plan: plan}
	c.parsed.store(id, w)
	return w, nil
}

// open scans a payload, so that decoders which trust counts and lengths may
// have it, and so that a fault has its place.
func (w *written) open(topic string, id int, data, payload []byte) error {
	n, err := w.plan.Scan(payload)
	if err != nil {
		return scanError(topic, id, err)
	}
	if n < len(payload) {
		return trailing(topic, id, data, len(payload)-n)
	}
	return nil
}

// parse compiles a definition. twmb's cache holds the named types of its
// references, which must be parsed first.
func (c *Client) parse(ctx context.Context, def Definition) (*avro.Schema, error) {
	if len(def.References) == 0 {
		return parseText(def.Text, &avro.SchemaCache{})
	}
	types := &avro.SchemaCache{}
	seen := make(map[Reference]bool)
	if err := c.parseReferences(ctx, def.References, types, seen); err != nil {
		return nil, err
	}
	return parseText(def.Text, types)
}

func (c *Client) parseReferences(ctx context.Context, refs []Reference, types *avro.SchemaCache, seen map[Reference]bool) error {
	for _, ref := range refs {
		place := Reference{Subject: ref.Subject, Version: ref.Version}
		if seen[place] {
			continue
		}
		if seen[place] = true; len(seen) > maxReferences {
			return &Error{Op: "parse", Subject: ref.Subject, Offset: -1,
				Err: as(fmt.Errorf("more than %d referenced schemas", maxReferences), ErrInvalid)}
		}
		found, err := c.Version(ctx, ref.Subject, ref.Version)
		if err != nil {
			return err
		}
		if err := c.parseReferences(ctx, found.References, types, seen); err != nil {
			return err
		}
		if _, err := parseText(found.Text, types); err != nil {
			return err
		}
	}
	return nil
}

func parseText(text string, types *avro.SchemaCache) (*avro.Schema, error) {
	s, err := types.Parse(text)
	if err != nil {
		return nil, &Error{Op: "parse", Offset: -1, Err: as(err, ErrInvalid)}
	}
	return s, nil
}

// selfContained is the schema with every reference to another schema replaced
// by its definition, for goavro, which cannot resolve references.
func selfContained(s *avro.Schema) (*avro.Schema, error) {
	whole, err := s.Root().ExpandReferences().Schema()
	if err != nil {
		return nil, &Error{Op: "parse", Offset: -1, Err: as(err, ErrInvalid)}
	}
	return whole, nil
}
