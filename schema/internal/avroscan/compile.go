package avroscan

import (
	"fmt"
	"math"
	"strconv"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindEnum
	kindFixed
	kindArray
	kindMap
	kindUnion
	kindRecord
)

var primitives = map[string]node{
	"null":    {kind: kindNull},
	"boolean": {kind: kindBoolean, least: 1},
	"int":     {kind: kindInt, least: 1},
	"long":    {kind: kindLong, least: 1},
	"float":   {kind: kindFloat, least: 4},
	"double":  {kind: kindDouble, least: 8},
	"bytes":   {kind: kindBytes, least: 1},
	"string":  {kind: kindString, least: 1},
}

// node is one type of a compiled schema. Nodes form a graph: a recursive type
// points back to itself.
type node struct {
	kind kind
	// least is a lower bound of the encoded size in bytes; 0 while the node is
	// being compiled, which is right for what refers back to it.
	least int
	// count is an enum's number of symbols or a fixed's size.
	count int
	// inner are fields, branches, or the one item or value.
	inner []*node
}

// Plan is a compiled schema, safe for concurrent use.
type Plan struct{ root *node }

// Compile reads a schema in Avro's parsing canonical form, in which names are
// full and nothing else is left to interpret.
func Compile(canonical []byte) (*Plan, error) {
	v, err := strictjson.Parse(canonical)
	if err != nil {
		return nil, fmt.Errorf("avroscan: %w", err)
	}
	c := compiler{named: make(map[string]*node)}
	root, err := c.compile(v)
	if err != nil {
		return nil, fmt.Errorf("avroscan: %w", err)
	}
	return &Plan{root: root}, nil
}

type compiler struct{ named map[string]*node }

func (c compiler) compile(v strictjson.Value) (*node, error) {
	switch v.Kind {
	case strictjson.String:
		return c.reference(v.Text)
	case strictjson.Array:
		return c.union(v)
	case strictjson.Object:
		return c.object(v)
	default:
		return nil, fmt.Errorf("%s is no schema", v.Kind)
	}
}

func (c compiler) reference(name string) (*node, error) {
	if p, ok := primitives[name]; ok {
		return &p, nil
	}
	if n, ok := c.named[name]; ok {
		return n, nil
	}
	return nil, fmt.Errorf("unknown type %q", name)
}

func (c compiler) union(v strictjson.Value) (*node, error) {
	n := &node{kind: kindUnion, least: math.MaxInt32}
	for _, item := range v.Items {
		branch, err := c.compile(item)
		if err != nil {
			return nil, err
		}
		n.inner = append(n.inner, branch)
		n.least = min(n.least, 1+branch.least)
	}
	if len(n.inner) == 0 {
		n.least = 1
	}
	return n, nil
}

func (c compiler) object(v strictjson.Value) (*node, error) {
	kind, _ := v.Member("type")
	switch kind.Text {
	case "record", "error":
		return c.record(v)
	case "enum":
		symbols, _ := v.Member("symbols")
		return c.define(v, &node{kind: kindEnum, least: 1, count: len(symbols.Items)}), nil
	case "fixed":
		text, _ := v.Member("size")
		size, err := strconv.Atoi(text.Text)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("fixed has size %q", text.Text)
		}
		return c.define(v, &node{kind: kindFixed, least: size, count: size}), nil
	case "array":
		return c.container(v, kindArray, "items")
	case "map":
		return c.container(v, kindMap, "values")
	default:
		return c.compile(kind)
	}
}

func (c compiler) container(v strictjson.Value, kind kind, member string) (*node, error) {
	element, _ := v.Member(member)
	item, err := c.compile(element)
	if err != nil {
		return nil, err
	}
	return &node{kind: kind, least: 1, inner: []*node{item}}, nil
}

func (c compiler) record(v strictjson.Value) (*node, error) {
	n := c.define(v, &node{kind: kindRecord})
	fields, _ := v.Member("fields")
	least := 0
	for _, field := range fields.Items {
		kind, _ := field.Member("type")
		inner, err := c.compile(kind)
		if err != nil {
			return nil, err
		}
		n.inner = append(n.inner, inner)
		least = min(least+inner.least, math.MaxInt32)
	}
	n.least = least
	return n, nil
}

// define makes a named type known under its full name.
func (c compiler) define(v strictjson.Value, n *node) *node {
	name, _ := v.Member("name")
	c.named[name.Text] = n
	return n
}
