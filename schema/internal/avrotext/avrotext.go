package avrotext

import (
	"maps"
	"slices"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

// Canonical is a schema in the registry's form.
type Canonical struct {
	// Text is the schema on one line.
	Text string
	// Names are the full names of the types it defines, sorted.
	Names []string
}

// Options change how a text is read and written.
type Options struct {
	// Known are full names that may be used without being defined: the types
	// of the schema's references. They stay references.
	Known []string
	// Normalize sorts properties.
	Normalize bool
}

// Of reads a schema and writes it in the canonical form. The error is a
// [*strictjson.Error] with line and column.
func Of(text string, opts Options) (Canonical, error) {
	root, err := strictjson.Parse([]byte(text))
	if err != nil {
		return Canonical{}, err
	}
	w := &writer{text: []byte(text), normalize: opts.Normalize,
		known: make(map[string]bool), defined: make(map[string]bool)}
	for _, name := range opts.Known {
		w.known[name] = true
	}
	if err := w.schema(root, ""); err != nil {
		return Canonical{}, err
	}
	return Canonical{Text: string(w.out), Names: slices.Sorted(maps.Keys(w.defined))}, nil
}

// writer walks the tree of a schema and appends its canonical text to out.
type writer struct {
	text      []byte // for positions
	out       []byte
	normalize bool
	known     map[string]bool // full names that may be referred to
	defined   map[string]bool // those of them that this text defines
}

func (w *writer) errorAt(v strictjson.Value, format string, args ...any) error {
	return strictjson.ErrorAt(w.text, v.Offset, format, args...)
}

// schema writes one schema within a namespace.
func (w *writer) schema(v strictjson.Value, namespace string) error {
	switch v.Kind {
	case strictjson.String:
		return w.named(v, namespace)
	case strictjson.Array:
		return w.union(v, namespace)
	case strictjson.Object:
		return w.object(v, namespace)
	default:
		return w.errorAt(v, "%s is no schema: need a type's name, an object or a union in brackets", v.Kind)
	}
}

// named writes a primitive or a reference to a type defined before.
func (w *writer) named(v strictjson.Value, namespace string) error {
	if primitives[v.Text] {
		w.out = appendString(w.out, v.Text)
		return nil
	}
	full, ok := w.resolve(v.Text, namespace)
	if !ok {
		return w.errorAt(v, "unknown type %q%s", v.Text, w.suggestion(v.Text))
	}
	w.out = appendString(w.out, full.within(namespace))
	return nil
}

func (w *writer) union(v strictjson.Value, namespace string) error {
	w.out = append(w.out, '[')
	for i, branch := range v.Items {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if branch.Kind == strictjson.Array {
			return w.errorAt(branch, "a union may not hold a union directly")
		}
		if err := w.schema(branch, namespace); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *writer) object(v strictjson.Value, namespace string) error {
	kind, ok := v.Member("type")
	if !ok {
		return w.errorAt(v, `no "type"`)
	}
	if kind.Kind != strictjson.String {
		return w.errorAt(kind, `"type" of a schema must be a string, found %s`, kind.Kind)
	}
	switch kind.Text {
	case "record", "error", "enum", "fixed":
		return w.definition(v, kind.Text, namespace)
	case "array":
		return w.container(v, "array", "items", namespace)
	case "map":
		return w.container(v, "map", "values", namespace)
	}
	if !primitives[kind.Text] {
		return w.named(kind, namespace)
	}
	properties := w.properties(v, schemaReserved)
	if len(properties) == 0 {
		w.out = appendString(w.out, kind.Text)
		return nil
	}
	w.out = append(w.out, `{"type":`...)
	w.out = appendString(w.out, kind.Text)
	w.writeProperties(properties)
	w.out = append(w.out, '}')
	return nil
}

func (w *writer) container(v strictjson.Value, kind, inner, namespace string) error {
	element, ok := v.Member(inner)
	if !ok {
		return w.errorAt(v, "%s has no %q", kind, inner)
	}
	w.out = append(w.out, `{"type":"`+kind+`","`+inner+`":`...)
	if err := w.schema(element, namespace); err != nil {
		return err
	}
	w.writeProperties(w.properties(v, schemaReserved))
	w.out = append(w.out, '}')
	return nil
}

// definition writes a record, error, enum or fixed.
func (w *writer) definition(v strictjson.Value, kind, namespace string) error {
	n, err := w.name(v, kind, namespace)
	if err != nil {
		return err
	}
	if w.known[n.full()] {
		return w.errorAt(v, "type %q is defined twice", n.full())
	}
	w.known[n.full()], w.defined[n.full()] = true, true

	w.out = append(w.out, `{"type":"`+kind+`","name":`...)
	w.out = appendString(w.out, n.simple)
	if n.space != namespace {
		w.out = append(w.out, `,"namespace":`...)
		w.out = appendString(w.out, n.space)
	}
	w.optionalString(v, "doc")
	reserved := schemaReserved
	switch kind {
	case "enum":
		reserved = enumReserved
		err = w.enum(v)
	case "fixed":
		err = w.fixed(v)
	default:
		err = w.fields(v, n.space)
	}
	if err != nil {
		return err
	}
	w.writeProperties(w.properties(v, reserved))
	if err := w.aliases(v, func(alias string) string { return newName(alias, n.space).within(n.space) }); err != nil {
		return err
	}
	w.out = append(w.out, '}')
	return nil
}

func (w *writer) enum(v strictjson.Value) error {
	symbols, ok := v.Member("symbols")
	if !ok || symbols.Kind != strictjson.Array {
		return w.errorAt(v, `enum has no "symbols": need an array of strings`)
	}
	w.out = append(w.out, `,"symbols":[`...)
	for i, symbol := range symbols.Items {
		if symbol.Kind != strictjson.String {
			return w.errorAt(symbol, "an enum symbol must be a string, found %s", symbol.Kind)
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = appendString(w.out, symbol.Text)
	}
	w.out = append(w.out, ']')
	w.optionalString(v, "default")
	return nil
}

func (w *writer) fixed(v strictjson.Value) error {
	size, ok := v.Member("size")
	if !ok || size.Kind != strictjson.Number {
		return w.errorAt(v, `fixed has no "size": need a number of bytes`)
	}
	w.out = append(w.out, `,"size":`...)
	w.out = appendNumber(w.out, size.Text)
	return nil
}

// optionalString writes a member if it is there and a string.
func (w *writer) optionalString(v strictjson.Value, key string) {
	if m, ok := v.Member(key); ok && m.Kind == strictjson.String {
		w.out = append(w.out, `,"`+key+`":`...)
		w.out = appendString(w.out, m.Text)
	}
}

func (w *writer) aliases(v strictjson.Value, spell func(string) string) error {
	aliases, ok := v.Member("aliases")
	if !ok || len(aliases.Items) == 0 && aliases.Kind == strictjson.Array {
		return nil
	}
	if aliases.Kind != strictjson.Array {
		return w.errorAt(aliases, `"aliases" must be an array of strings, found %s`, aliases.Kind)
	}
	w.out = append(w.out, `,"aliases":[`...)
	seen := make(map[string]bool)
	for _, alias := range aliases.Items {
		if alias.Kind != strictjson.String {
			return w.errorAt(alias, "an alias must be a string, found %s", alias.Kind)
		}
		spelled := spell(alias.Text)
		if seen[spelled] {
			continue
		}
		if len(seen) > 0 {
			w.out = append(w.out, ',')
		}
		seen[spelled] = true
		w.out = appendString(w.out, spelled)
	}
	w.out = append(w.out, ']')
	return nil
}
