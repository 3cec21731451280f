package avrotext

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

var primitives = map[string]bool{
	"null": true, "boolean": true, "int": true, "long": true,
	"float": true, "double": true, "bytes": true, "string": true,
}

var complexTypes = []string{"record", "error", "enum", "array", "map", "fixed"}

// name is a full name in two parts; the space is empty for the null namespace.
type name struct{ space, simple string }

// newName reads a name within a namespace: one with a dot is a full name.
func newName(text, namespace string) name {
	if dot := strings.LastIndexByte(text, '.'); dot >= 0 {
		return name{space: text[:dot], simple: text[dot+1:]}
	}
	return name{space: namespace, simple: text}
}

func (n name) full() string {
	if n.space == "" {
		return n.simple
	}
	return n.space + "." + n.simple
}

// within spells the name as a reference from a namespace: short where that
// cannot be mistaken for a built-in type.
func (n name) within(namespace string) string {
	if n.space == namespace && !builtin(n.simple) {
		return n.simple
	}
	return n.full()
}

func builtin(simple string) bool {
	if primitives[simple] || simple == "union" {
		return true
	}
	for _, kind := range complexTypes {
		if kind == simple && kind != "error" {
			return true
		}
	}
	return false
}

// name reads the name of a definition.
func (w *writer) name(v strictjson.Value, kind, namespace string) (name, error) {
	text, ok := v.Member("name")
	if !ok || text.Kind != strictjson.String {
		return name{}, w.errorAt(v, `%s has no "name"`, kind)
	}
	if space, ok := v.Member("namespace"); ok && space.Kind == strictjson.String {
		namespace = space.Text
	}
	n := newName(text.Text, namespace)
	if !validName(n.simple) {
		return n, w.errorAt(text, "name %q: need a letter or _, then letters, digits and _", text.Text)
	}
	return n, nil
}

// resolve finds the type that a reference means: in its namespace, else in the
// null namespace.
func (w *writer) resolve(reference, namespace string) (name, bool) {
	n := newName(reference, namespace)
	if w.known[n.full()] {
		return n, true
	}
	n = newName(reference, "")
	return n, w.known[n.full()]
}

// suggestion names the known type nearest to a mistyped one.
func (w *writer) suggestion(mistyped string) string {
	best, distance := "", 3
	consider := func(candidate string) {
		d := levenshtein.ComputeDistance(mistyped, candidate)
		if d < distance || d == distance && best != "" && candidate < best {
			best, distance = candidate, d
		}
	}
	for candidate := range primitives {
		consider(candidate)
	}
	for candidate := range w.known {
		consider(candidate)
		consider(newName(candidate, "").simple)
	}
	if slices.Contains(complexTypes, mistyped) {
		return fmt.Sprintf(`: write it as an object, {"type": %q, ...}`, mistyped)
	}
	if best == "" {
		return ": define it before it is used, or name the schema that defines it in the references"
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

func validName(simple string) bool {
	for i, r := range simple {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return simple != ""
}
