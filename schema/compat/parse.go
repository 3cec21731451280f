package compat

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/avro"

	"github.com/millrace-io/millrace/schema/internal/avrotext"
	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

// Schema is a parsed Avro schema, ready to be compared.
type Schema struct {
	root *node
	text string
}

// String is the schema's text in canonical form.
func (s *Schema) String() string { return s.text }

// node is one type. Nodes form a graph: a reference is the node it names.
type node struct {
	kind    string // "record" for an error too
	name    string // full name of a record, enum or fixed
	aliases []string
	fields  []field
	symbols []string
	orElse  bool // an enum has a default
	size    int
	inner   []*node // branches, or the one item or value
	decimal string  // "precision,scale" of a decimal
	source  strictjson.Value
}

type field struct {
	name       string
	aliases    []string
	hasDefault bool
	kind       *node
	source     strictjson.Value
}

// ParseAvro reads an Avro schema and checks that it is valid. The texts of the
// schemas that it refers to come first-needed first.
func ParseAvro(text string, references ...string) (*Schema, error) {
	b := &builder{named: make(map[string]*node)}
	types := &avro.SchemaCache{}
	var known []string
	var last *Schema
	for i, source := range append(append([]string(nil), references...), text) {
		canonical, err := avrotext.Of(source, avrotext.Options{Known: known})
		if err == nil {
			_, err = types.Parse(canonical.Text)
		}
		if err != nil && i < len(references) {
			return nil, fmt.Errorf("reference %d: %w", i+1, err)
		}
		if err != nil {
			return nil, err
		}
		known = append(known, canonical.Names...)
		tree, err := strictjson.Parse([]byte(canonical.Text))
		if err != nil {
			return nil, err
		}
		root, err := b.node(tree, "")
		if err != nil {
			return nil, err
		}
		last = &Schema{root: root, text: canonical.Text}
	}
	return last, nil
}

// builder turns canonical text, which avrotext and twmb/avro have accepted,
// into nodes.
type builder struct{ named map[string]*node }

var errNoSchema = errors.New("not a schema")

func (b *builder) node(v strictjson.Value, namespace string) (*node, error) {
	switch v.Kind {
	case strictjson.String:
		return b.reference(v, namespace), nil
	case strictjson.Array:
		return b.union(v, namespace)
	case strictjson.Object:
		return b.object(v, namespace)
	default:
		return nil, errNoSchema
	}
}

func (b *builder) reference(v strictjson.Value, namespace string) *node {
	if n, ok := b.named[qualify(v.Text, namespace)]; ok {
		return n
	}
	if n, ok := b.named[v.Text]; ok {
		return n
	}
	return &node{kind: v.Text, source: v}
}

func (b *builder) union(v strictjson.Value, namespace string) (*node, error) {
	n := &node{kind: "union", source: v}
	for _, item := range v.Items {
		branch, err := b.node(item, namespace)
		if err != nil {
			return nil, err
		}
		n.inner = append(n.inner, branch)
	}
	return n, nil
}

func (b *builder) object(v strictjson.Value, namespace string) (*node, error) {
	n := &node{kind: text(v, "type"), source: v}
	n.decimal = decimal(v)
	switch n.kind {
	case "record", "error":
		n.kind = "record"
		return n, b.record(n, v, namespace)
	case "enum":
		b.define(n, v, namespace)
		n.symbols = texts(v, "symbols")
		_, n.orElse = v.Member("default")
	case "fixed":
		b.define(n, v, namespace)
		size, err := strconv.Atoi(text(v, "size"))
		if err != nil {
			return nil, fmt.Errorf("fixed size: %w", err)
		}
		n.size = size
	case "array", "map":
		inner, _ := v.Member(map[string]string{"array": "items", "map": "values"}[n.kind])
		element, err := b.node(inner, namespace)
		if err != nil {
			return nil, err
		}
		n.inner = []*node{element}
	}
	return n, nil
}

func (b *builder) record(n *node, v strictjson.Value, namespace string) error {
	namespace = b.define(n, v, namespace)
	fields, _ := v.Member("fields")
	for _, item := range fields.Items {
		kind, _ := item.Member("type")
		inner, err := b.node(kind, namespace)
		if err != nil {
			return err
		}
		_, hasDefault := item.Member("default")
		n.fields = append(n.fields, field{name: text(item, "name"), aliases: texts(item, "aliases"),
			hasDefault: hasDefault, kind: inner, source: item})
	}
	return nil
}

// define names a type and returns its namespace.
func (b *builder) define(n *node, v strictjson.Value, namespace string) string {
	if space, ok := v.Member("namespace"); ok {
		namespace = space.Text
	}
	n.name = qualify(text(v, "name"), namespace)
	for _, alias := range texts(v, "aliases") {
		n.aliases = append(n.aliases, qualify(alias, namespace))
	}
	b.named[n.name] = n
	return namespace
}

func qualify(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func simple(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func text(v strictjson.Value, key string) string {
	m, _ := v.Member(key)
	return m.Text
}

func texts(v strictjson.Value, key string) []string {
	m, _ := v.Member(key)
	var all []string
	for _, item := range m.Items {
		all = append(all, item.Text)
	}
	return all
}

func decimal(v strictjson.Value) string {
	if text(v, "logicalType") != "decimal" {
		return ""
	}
	scale := text(v, "scale")
	if scale == "" {
		scale = "0"
	}
	return text(v, "precision") + "," + scale
}
