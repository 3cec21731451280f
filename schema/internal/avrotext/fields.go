package avrotext

import (
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

// fields writes a record's fields.
func (w *writer) fields(v strictjson.Value, namespace string) error {
	fields, ok := v.Member("fields")
	if !ok || fields.Kind != strictjson.Array {
		return w.errorAt(v, `record has no "fields": need an array`)
	}
	w.out = append(w.out, `,"fields":[`...)
	seen := make(map[string]bool)
	for i, field := range fields.Items {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := w.field(field, namespace, seen); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	return nil
}

func (w *writer) field(v strictjson.Value, namespace string, seen map[string]bool) error {
	if v.Kind != strictjson.Object {
		return w.errorAt(v, "a field must be an object, found %s", v.Kind)
	}
	name, ok := v.Member("name")
	if !ok || name.Kind != strictjson.String {
		return w.errorAt(v, `field has no "name"`)
	}
	if !validName(name.Text) {
		return w.errorAt(name, "field name %q: need a letter or _, then letters, digits and _", name.Text)
	}
	if seen[name.Text] {
		return w.errorAt(name, "field %q is defined twice", name.Text)
	}
	seen[name.Text] = true
	kind, ok := v.Member("type")
	if !ok {
		return w.errorAt(v, `field %q has no "type"`, name.Text)
	}
	w.out = append(w.out, `{"name":`...)
	w.out = appendString(w.out, name.Text)
	w.out = append(w.out, `,"type":`...)
	if err := w.schema(kind, namespace); err != nil {
		return err
	}
	w.optionalString(v, "doc")
	if def, ok := v.Member("default"); ok {
		w.out = append(w.out, `,"default":`...)
		w.out = appendValue(w.out, fieldDefault(kind, def), w.normalize)
	}
	if err := w.order(v); err != nil {
		return err
	}
	if err := w.aliases(v, func(alias string) string { return alias }); err != nil {
		return err
	}
	w.writeProperties(w.properties(v, fieldReserved))
	w.out = append(w.out, '}')
	return nil
}

// fieldDefault is the default as Java holds it: for a float or double a string
// that spells a number becomes that number.
func fieldDefault(kind, def strictjson.Value) strictjson.Value {
	if inner, ok := kind.Member("type"); ok {
		kind = inner
	}
	if def.Kind != strictjson.String || kind.Text != "float" && kind.Text != "double" {
		return def
	}
	f, err := strconv.ParseFloat(def.Text, 64)
	if err != nil || !finite(f) {
		return def
	}
	return strictjson.Value{Kind: strictjson.Number, Text: javaDouble(f)}
}

func (w *writer) order(v strictjson.Value) error {
	order, ok := v.Member("order")
	if !ok {
		return nil
	}
	switch lower := strings.ToLower(order.Text); lower {
	case "ascending":
		return nil
	case "descending", "ignore":
		w.out = append(w.out, `,"order":"`+lower+`"`...)
		return nil
	default:
		return w.errorAt(order, `"order" must be ascending, descending or ignore`)
	}
}

// Member names that are not properties.
var (
	schemaReserved = []string{"aliases", "doc", "fields", "items", "name", "namespace", "size", "symbols", "type", "values"}
	enumReserved   = append([]string{"default"}, schemaReserved...)
	fieldReserved  = []string{"aliases", "default", "doc", "name", "order", "type"}
)

func (w *writer) properties(v strictjson.Value, reserved []string) []strictjson.Member {
	var properties []strictjson.Member
	for _, m := range v.Members {
		if !slices.Contains(reserved, m.Key) {
			properties = append(properties, m)
		}
	}
	if w.normalize {
		slices.SortFunc(properties, byKey)
	}
	return properties
}

func (w *writer) writeProperties(properties []strictjson.Member) {
	for _, m := range properties {
		w.out = append(w.out, ',')
		w.out = appendString(w.out, m.Key)
		w.out = append(w.out, ':')
		w.out = appendValue(w.out, m.Value, w.normalize)
	}
}

func byKey(a, b strictjson.Member) int { return strings.Compare(a.Key, b.Key) }
