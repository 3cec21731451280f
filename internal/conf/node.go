package conf

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
)

// Kind says what a Node is.
type Kind uint8

// The kinds. Text is a scalar without a type of its own: it comes from a
// property, or from a placeholder, and is read as whatever the field needs.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Text
	Sequence
	Mapping
)

// String gives the kind as messages name it, with its article.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Bool:
		return "a boolean"
	case Int, Float:
		return "a number"
	case String, Text:
		return "a string"
	case Sequence:
		return "a list"
	case Mapping:
		return "a mapping"
	}
	return "an unknown kind"
}

// Node is a value of a configuration with its place. Nodes are not changed
// after Parse.
type Node struct {
	Kind Kind
	Pos  Position
	// Path is the dotted path from the root, such as broker.listeners[0].
	Path string
	// Text is a scalar as it was written, without quotes and with its
	// placeholders: integers keep leading zeros and every digit.
	Text string
	// Items are the elements of a sequence.
	Items []*Node
	// Fields are the entries of a mapping in the order of the file; keys are
	// unique.
	Fields []Field

	broken bool // a fault was reported already, so Decode passes over it
}

// Field is one entry of a mapping.
type Field struct {
	Key   string
	Pos   Position // of the key
	Value *Node
}

// Lookup finds the value of a key of a mapping.
func (n *Node) Lookup(key string) (*Node, bool) {
	if n == nil {
		return nil, false
	}
	for _, f := range n.Fields {
		if f.Key == key {
			return f.Value, true
		}
	}
	return nil, false
}

// Find follows a path such as mirrors[0].from below the node. Where it does
// not exist the node is the deepest that does, and the result is false.
func (n *Node) Find(path string) (*Node, bool) {
	path = strings.TrimPrefix(path, ".")
	if path == "" {
		return n, true
	}
	for _, f := range n.Fields {
		if rest, ok := strings.CutPrefix(path, f.Key); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return f.Value.Find(rest)
		}
	}
	for i, item := range n.Items {
		if rest, ok := strings.CutPrefix(path, "["+strconv.Itoa(i)+"]"); ok {
			return item.Find(rest)
		}
	}
	return n, false
}

// IsScalar tells whether the node is neither a list nor a mapping.
func (n *Node) IsScalar() bool { return n.Kind != Sequence && n.Kind != Mapping }

// first is where a fault of the mapping as a whole is shown: at its first
// key, which is the place a reader looks at.
func (n *Node) first() Position {
	if n.Kind == Mapping && len(n.Fields) > 0 {
		return n.Fields[0].Pos
	}
	return n.Pos
}

// Errorf makes a fault of this node; its path stands before the message.
func (n *Node) Errorf(format string, args ...any) Error {
	return fault(n.Pos, n.Path, format, args...)
}

// Properties flattens the tree into Kafka Connect's form. Scalars keep their
// text, secrets unresolved; null is left out.
func (n *Node) Properties() map[string]string {
	props := map[string]string{}
	if n != nil {
		n.Flatten(func(path, text string, _ *Node) { props[path] = text })
	}
	return props
}

// Flatten visits each property of the tree, in the order of the file, with
// its path below the node, its text and the node it comes from.
func (n *Node) Flatten(visit func(path, text string, at *Node)) { flatten(n, "", visit) }

func flatten(n *Node, prefix string, visit func(string, string, *Node)) {
	switch n.Kind {
	case Null:
	case Mapping:
		for _, f := range n.Fields {
			flatten(f.Value, join(prefix, f.Key), visit)
		}
	case Sequence:
		if list, ok := scalarList(n.Items); ok {
			visit(prefix, list, n)
			return
		}
		for i, item := range n.Items {
			flatten(item, join(prefix, strconv.Itoa(i)), visit)
		}
	default:
		visit(prefix, n.Text, n)
	}
}

// scalarList joins scalars with commas, or as a JSON array where an element
// would not survive that. It says false if an element is no scalar.
func scalarList(items []*Node) (string, bool) {
	texts, plain := make([]string, len(items)), true
	for i, item := range items {
		if !item.IsScalar() {
			return "", false
		}
		texts[i] = item.Text
		if texts[i] == "" || strings.Contains(texts[i], ",") || strings.TrimSpace(texts[i]) != texts[i] || strings.HasPrefix(texts[i], "[") {
			plain = false
		}
	}
	if plain {
		return strings.Join(texts, ","), true
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(texts); err != nil { // strings always encode
		return "", false
	}
	return strings.TrimSpace(b.String()), true
}

// splitList is the inverse of scalarList.
func splitList(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	if strings.HasPrefix(text, "[") {
		var items []string
		if json.Unmarshal([]byte(text), &items) == nil {
			return items
		}
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

// under returns the properties below a prefix, without it.
func under(props map[string]string, prefix string) map[string]string {
	found := maps.Clone(props)
	clear(found)
	for key, value := range props {
		if rest, ok := strings.CutPrefix(key, prefix+"."); ok {
			found[rest] = value
		}
	}
	return found
}
