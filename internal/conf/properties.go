package conf

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// DecodeProperties reads a flat property map, the form of Node.Properties,
// onto what into points to, and lists the properties that no field takes.
// Faults have no place, only the name of the property.
func DecodeProperties(props map[string]string, into any, s Secrets) (unknown []string, err error) {
	u := unflattener{left: maps.Clone(props)}
	target := reflect.ValueOf(into).Elem()
	node := u.object(props, target.Type(), "")
	d := decoder{secrets: s}
	d.value(node, target, tag{})
	return slices.Sorted(maps.Keys(u.left)), d.errs.orNil()
}

// unflattener rebuilds the tree that a struct type asks for. Without the type
// a dotted name could be a path as well as a key.
type unflattener struct{ left map[string]string }

func (u *unflattener) object(props map[string]string, t reflect.Type, prefix string) *Node {
	node := &Node{Kind: Mapping, Path: prefix}
	for _, f := range tagsOf(t) {
		if value := u.field(props, f.typ, f.name, join(prefix, f.name)); value != nil {
			node.Fields = append(node.Fields, Field{Key: f.name, Value: value})
		}
	}
	return node
}

// field returns nil where no property belongs to the key.
func (u *unflattener) field(props map[string]string, t reflect.Type, name, path string) *Node {
	t = structType(t)
	if text, ok := props[name]; ok {
		delete(u.left, path)
		return &Node{Kind: Text, Path: path, Text: text}
	}
	inner := under(props, name)
	if len(inner) == 0 {
		return nil
	}
	object, repeated := objectOf(t)
	switch {
	case object != nil && repeated:
		return u.numbered(inner, object, path)
	case object != nil:
		return u.object(inner, object, path)
	case t.Kind() == reflect.Map || t == nodeType || isCustom(t):
		return u.leaves(inner, path)
	}
	return nil
}

func (u *unflattener) numbered(props map[string]string, t reflect.Type, path string) *Node {
	node := &Node{Kind: Sequence, Path: path}
	for i := 0; ; i++ {
		item := under(props, strconv.Itoa(i))
		if len(item) == 0 {
			return node
		}
		node.Items = append(node.Items, u.object(item, t, join(path, strconv.Itoa(i))))
	}
}

func (u *unflattener) leaves(props map[string]string, path string) *Node {
	node := &Node{Kind: Mapping, Path: path}
	for _, key := range slices.Sorted(maps.Keys(props)) {
		name := join(path, key)
		delete(u.left, name)
		node.Fields = append(node.Fields, Field{Key: key, Value: &Node{Kind: Text, Path: name, Text: props[key]}})
	}
	return node
}

// IsUnder tells whether a property is the path itself or lies below it.
func IsUnder(property, path string) bool {
	return property == path || strings.HasPrefix(property, path+".")
}
