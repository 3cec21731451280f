package convert

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/avro"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/schema"
)

// registered is Avro with the schema in the registry. Data is plain on this
// side: goavro's unions, a map of the branch's name, are opened and closed
// here.
type registered struct {
	client  *schema.Client
	reader  *schema.GenericSerde
	options []schema.Option

	mu      sync.Mutex
	writers map[string]*writer // by the text of the schema
	forms   map[int]*form      // by id
}

// writer is a schema to write with.
type writer struct {
	serde *schema.GenericSerde
	root  *avro.SchemaNode
	named named
}

// form is a schema that was read.
type form struct {
	root      *avro.SchemaNode
	named     named
	described *connect.Schema
}

func newAvro(options map[string]string, key bool, client *schema.Client) (Converter, error) {
	if client == nil {
		return nil, errors.New("the avro converter needs a schema registry: set schema_registry in the cluster profile")
	}
	if err := only(options, "auto.register.schemas", "schema.registry.url"); err != nil {
		return nil, err
	}
	r := &registered{client: client, writers: map[string]*writer{}, forms: map[int]*form{}}
	switch on := options["auto.register.schemas"]; on {
	case "true":
		r.options = append(r.options, schema.AutoRegister(true))
	case "", "false":
	default:
		return nil, fmt.Errorf("auto.register.schemas %q: need true or false", on)
	}
	if key {
		r.options = append(r.options, schema.ForKey())
	}
	reader, err := schema.Generic(client, r.options...)
	if err != nil {
		return nil, err
	}
	r.reader = reader
	return r, nil
}

func (r *registered) Encode(ctx context.Context, topic string, d connect.Data) ([]byte, error) {
	if d.IsNull() {
		return nil, nil
	}
	text, err := definition(d)
	if err != nil {
		return nil, err
	}
	w, err := r.writer(text)
	if err != nil {
		return nil, err
	}
	native, err := w.named.wrap(w.root, d.Any)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	return w.serde.Encode(ctx, topic, native)
}

// writer makes a serde per schema; sources have few.
func (r *registered) writer(text string) (*writer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, ok := r.writers[text]; ok {
		return w, nil
	}
	parsed, err := avro.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: schema: %w", ErrData, err)
	}
	serde, err := schema.Generic(r.client, append([]schema.Option{schema.FromText(text)}, r.options...)...)
	if err != nil {
		return nil, err
	}
	root := parsed.Root()
	w := &writer{serde: serde, root: root, named: shapes(root)}
	r.writers[text] = w
	return w, nil
}

// form looks a schema up by its id.
func (r *registered) form(ctx context.Context, id int) (*form, error) {
	r.mu.Lock()
	known, ok := r.forms[id]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	parsed, err := r.client.Parsed(ctx, id)
	if err != nil {
		return nil, err
	}
	root := parsed.Root()
	described := &connect.Schema{Type: root.Type, Name: fullName(root), Doc: root.Doc, Definition: parsed.String()}
	if root.Type == "record" {
		described.Type = "struct"
	}
	f := &form{root: root, named: shapes(root), described: described}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forms[id] = f
	return f, nil
}

// definition is the Avro schema of data: the one it was read with, or that of
// a primitive.
func definition(d connect.Data) (string, error) {
	if d.Schema != nil && d.Schema.Definition != "" {
		return d.Schema.Definition, nil
	}
	switch d.Any.(type) {
	case string:
		return `"string"`, nil
	case int64:
		return `"long"`, nil
	case float64:
		return `"double"`, nil
	case bool:
		return `"boolean"`, nil
	case []byte:
		return `"bytes"`, nil
	}
	return "", fmt.Errorf("%w: a %T without a schema cannot become Avro", ErrData, d.Any)
}

func (r *registered) Decode(ctx context.Context, topic string, b []byte) (connect.Data, error) {
	if b == nil {
		return connect.Data{}, nil
	}
	native, err := r.reader.Decode(ctx, topic, b)
	if err != nil {
		return connect.Data{}, err
	}
	id, _, err := schema.ParseHeader(b)
	if err != nil {
		return connect.Data{}, err
	}
	f, err := r.form(ctx, id)
	if err != nil {
		return connect.Data{}, err
	}
	return connect.Data{Schema: f.described, Any: f.named.plain(f.root, native)}, nil
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || n.Name == "" {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// named resolves references to the named types of one schema.
type named map[string]*avro.SchemaNode

func shapes(root *avro.SchemaNode) named {
	names := named{}
	names.collect(root)
	return names
}

func (s named) collect(n *avro.SchemaNode) {
	if n == nil {
		return
	}
	if n.Name != "" {
		s[fullName(n)] = n
		if _, taken := s[n.Name]; !taken { // a reference within the namespace
			s[n.Name] = n
		}
	}
	for i := range n.Fields {
		s.collect(&n.Fields[i].Type)
	}
	for i := range n.Branches {
		s.collect(&n.Branches[i])
	}
	s.collect(n.Items)
	s.collect(n.Values)
}

func (s named) resolve(n *avro.SchemaNode) *avro.SchemaNode {
	if target, ok := s[n.Type]; ok {
		return target
	}
	return n
}

// plain opens goavro's unions.
func (s named) plain(n *avro.SchemaNode, v any) any {
	n = s.resolve(n)
	switch n.Type {
	case "union":
		wrapped, ok := v.(map[string]any)
		if !ok {
			return v
		}
		for name, value := range wrapped {
			if branch := s.branch(n, name); branch != nil {
				return s.plain(branch, value)
			}
			return value
		}
	case "record":
		object, ok := v.(map[string]any)
		if !ok {
			return v
		}
		for i := range n.Fields {
			f := &n.Fields[i]
			object[f.Name] = s.plain(&f.Type, object[f.Name])
		}
	case "array":
		if items, ok := v.([]any); ok {
			for i := range items {
				items[i] = s.plain(n.Items, items[i])
			}
		}
	case "map":
		if values, ok := v.(map[string]any); ok {
			for key := range values {
				values[key] = s.plain(n.Values, values[key])
			}
		}
	}
	return v
}

// branchName is how goavro names the branch of a union.
func (s named) branchName(b *avro.SchemaNode) string {
	b = s.resolve(b)
	if b.Name != "" {
		return fullName(b)
	}
	if b.LogicalType != "" {
		return b.Type + "." + b.LogicalType
	}
	return b.Type
}

func (s named) branch(union *avro.SchemaNode, name string) *avro.SchemaNode {
	for i := range union.Branches {
		b := &union.Branches[i]
		if s.branchName(b) == name || b.Type == name {
			return b
		}
	}
	return nil
}

// wrap closes unions again for goavro, on a copy.
func (s named) wrap(n *avro.SchemaNode, v any) (any, error) {
	n = s.resolve(n)
	switch n.Type {
	case "union":
		if v == nil {
			return nil, nil
		}
		for i := range n.Branches {
			b := &n.Branches[i]
			if fits(s.resolve(b), v) {
				inner, err := s.wrap(b, v)
				return map[string]any{s.branchName(b): inner}, err
			}
		}
		return nil, fmt.Errorf("a %T fits no branch of the union", v)
	case "record":
		object, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("record %s needs a map, not a %T", fullName(n), v)
		}
		out := make(map[string]any, len(n.Fields))
		for i := range n.Fields {
			f := &n.Fields[i]
			value, given := object[f.Name]
			if !given {
				continue // goavro takes the default, or names the field
			}
			inner, err := s.wrap(&f.Type, value)
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", f.Name, err)
			}
			out[f.Name] = inner
		}
		return out, nil
	case "array":
		items, ok := v.([]any)
		if !ok {
			return v, nil
		}
		out := make([]any, len(items))
		for i := range items {
			inner, err := s.wrap(n.Items, items[i])
			if err != nil {
				return nil, err
			}
			out[i] = inner
		}
		return out, nil
	case "map":
		values, ok := v.(map[string]any)
		if !ok {
			return v, nil
		}
		out := make(map[string]any, len(values))
		for key := range values {
			inner, err := s.wrap(n.Values, values[key])
			if err != nil {
				return nil, err
			}
			out[key] = inner
		}
		return out, nil
	}
	return v, nil
}

// fits tells whether a plain value can be of a branch.
func fits(b *avro.SchemaNode, v any) bool {
	switch v.(type) {
	case string:
		return b.Type == "string" || b.Type == "enum"
	case bool:
		return b.Type == "boolean"
	case int32, int64, int:
		return b.Type == "int" || b.Type == "long"
	case float32, float64:
		return b.Type == "float" || b.Type == "double"
	case []byte:
		return b.Type == "bytes" || b.Type == "fixed"
	case []any:
		return b.Type == "array"
	case map[string]any:
		return b.Type == "record" || b.Type == "map"
	}
	return b.LogicalType != "" // dates, times and decimals
}
