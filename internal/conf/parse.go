package conf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxNodes bounds what aliases can expand a file to.
const maxNodes = 100_000

// Parse reads a YAML file into nodes. An empty file is an empty mapping. The
// error is an Errors.
func Parse(file string, data []byte) (*Node, error) {
	if err := scan(file, data); err != nil {
		return nil, Errors{*err}
	}
	parsed, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, Errors{syntaxError(file, data, err)}
	}
	c := converter{file: file, anchors: map[string]ast.Node{}}
	root := &Node{Kind: Mapping, Pos: Position{file, 1, 1}}
	for i, doc := range parsed.Docs {
		switch {
		case doc.Body == nil:
		case i > 0:
			c.fail(c.pos(doc.Body), "", "a second document: a file holds one")
		default:
			root = c.node(doc.Body, "")
		}
	}
	if root.Kind == Null {
		root.Kind = Mapping
	}
	if root.Kind != Mapping {
		c.fail(root.Pos, "", "need a mapping of sections, got %s", root.Kind)
	}
	return root, c.errs.orNil()
}

func syntaxError(file string, data []byte, err error) Error {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		return Error{Position: Position{file, 1, 1}, Message: err.Error()}
	}
	at := syntax.Token.Position
	line := lineAt(data, at.Line)
	message := syntax.Message
	switch {
	case strings.Contains(message, "'\t'"):
		message = "a tab in the indentation: YAML indents with spaces"
	case strings.Contains(line, "${") && strings.ContainsAny(line, "{["):
		message += "; inside braces a placeholder needs quotes: \"${env:NAME}\""
	}
	return Error{Position: Position{file, at.Line, at.Column}, Message: message}
}

func lineAt(data []byte, number int) string {
	lines := strings.Split(string(data), "\n")
	if number < 1 || number > len(lines) {
		return ""
	}
	return lines[number-1]
}

// converter turns syntax into nodes. Anchors are known once their value has
// been read, so an alias can never contain itself.
type converter struct {
	file    string
	anchors map[string]ast.Node
	count   int
	errs    Errors
}

func (c *converter) fail(at Position, path, format string, args ...any) {
	c.errs = append(c.errs, fault(at, path, format, args...))
}

func fault(at Position, path, format string, args ...any) Error {
	message := fmt.Sprintf(format, args...)
	if path != "" {
		message = path + ": " + message
	}
	return Error{Position: at, Path: path, Message: message}
}

// pos is where a reader sees the value begin. A block mapping's token is its
// first colon, so its place is that of its first key.
func (c *converter) pos(n ast.Node) Position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return c.pos(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return c.pos(n.Key)
	}
	at := n.GetToken().Position
	return Position{c.file, at.Line, at.Column}
}

func (c *converter) node(n ast.Node, path string) *Node {
	out := &Node{Pos: c.pos(n), Path: path}
	if c.count++; c.count > maxNodes {
		if c.count == maxNodes+1 {
			c.fail(out.Pos, path, "aliases expand this file to more than %d values", maxNodes)
		}
		out.broken = true
		return out
	}
	switch n := n.(type) {
	case *ast.NullNode:
		out.Kind = Null
	case *ast.BoolNode:
		out.Kind, out.Text = Bool, strconv.FormatBool(n.Value)
	case *ast.IntegerNode:
		out.Kind, out.Text = Int, n.Token.Value
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.Kind, out.Text = Float, n.GetToken().Value
	case *ast.StringNode:
		out.Kind, out.Text = String, n.Value
	case *ast.LiteralNode:
		out.Kind, out.Text = String, n.Value.Value
	case *ast.SequenceNode:
		out.Kind = Sequence
		for i, value := range n.Values {
			out.Items = append(out.Items, c.node(value, path+"["+strconv.Itoa(i)+"]"))
		}
	case *ast.MappingNode:
		out.Kind = Mapping
		c.fields(out, n.Values)
	case *ast.MappingValueNode:
		out.Kind = Mapping
		c.fields(out, []*ast.MappingValueNode{n})
	case *ast.AnchorNode:
		value := c.node(n.Value, path)
		c.anchors[n.Name.GetToken().Value] = n.Value
		return value
	case *ast.AliasNode:
		return c.alias(n, path)
	case *ast.TagNode:
		return c.tagged(n, path)
	default:
		c.fail(out.Pos, path, "%s is not used in configuration", strings.ToLower(n.Type().String()))
		out.broken = true
	}
	return out
}

func (c *converter) alias(n *ast.AliasNode, path string) *Node {
	name := n.Value.GetToken().Value
	target, ok := c.anchors[name]
	if !ok {
		c.fail(c.pos(n), path, "no anchor &%s before this alias", name)
		return &Node{Pos: c.pos(n), Path: path, broken: true}
	}
	return c.node(target, path)
}

// tagged knows the one tag that has a use: !!str keeps a scalar as text.
func (c *converter) tagged(n *ast.TagNode, path string) *Node {
	if n.Value == nil {
		return &Node{Pos: c.pos(n), Path: path}
	}
	value := c.node(n.Value, path)
	if tag := n.GetToken().Value; tag != string(token.StringTag) || !value.IsScalar() {
		c.fail(c.pos(n), path, "tag %s is not used in configuration", tag)
		return value
	}
	value.Kind = String
	return value
}

// fields reads a mapping. What << merges in never replaces a key of the
// mapping itself, wherever it stands.
func (c *converter) fields(out *Node, values []*ast.MappingValueNode) {
	seen := map[string]Position{}
	var merged []Field
	for _, v := range values {
		if _, ok := v.Key.(*ast.MergeKeyNode); ok {
			merged = append(merged, c.merge(v.Value, out.Path)...)
			continue
		}
		key, ok := keyText(v.Key)
		at := c.pos(v.Key)
		if !ok {
			c.fail(at, out.Path, "a key must be a plain string")
			continue
		}
		if before, dup := seen[key]; dup {
			path := join(out.Path, key)
			c.errs = append(c.errs, Error{at, path, fmt.Sprintf("duplicate key %s (first at line %d)", path, before.Line)})
			continue
		}
		seen[key] = at
		out.Fields = append(out.Fields, Field{key, at, c.node(v.Value, join(out.Path, key))})
	}
	for _, f := range merged {
		if _, ok := seen[f.Key]; !ok {
			seen[f.Key] = f.Pos
			out.Fields = append(out.Fields, f)
		}
	}
}

func (c *converter) merge(value ast.Node, path string) []Field {
	node := c.node(value, path)
	parts := []*Node{node}
	if node.Kind == Sequence {
		parts = node.Items
	}
	var fields []Field
	for _, part := range parts {
		if part.Kind != Mapping {
			c.fail(node.Pos, path, "<< needs a mapping, got %s", part.Kind)
		}
		fields = append(fields, part.Fields...)
	}
	return fields
}

func keyText(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return k.GetToken().Value, true
	}
	return "", false
}
