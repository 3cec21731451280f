package conf

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// tag is what the tags of one struct field say.
type tag struct {
	name             string
	required, secret bool
	fallback         string // of the tag default
	enum             []string
	min, max         string
	example, doc     string
	loose            bool // an element of a map: any scalar is its text
	index            []int
	typ              reflect.Type
}

// tagsOf lists the keys of a struct, those of inline structs among them.
func tagsOf(t reflect.Type) []tag {
	var tags []tag
	for i := range t.NumField() {
		f := t.Field(i)
		spec, ok := f.Tag.Lookup("conf")
		if !ok || spec == "-" || !f.IsExported() {
			continue
		}
		options := strings.Split(spec, ",")
		one := tag{name: options[0], index: f.Index, typ: f.Type}
		inline := false
		for _, option := range options[1:] {
			switch option {
			case "required":
				one.required = true
			case "secret":
				one.secret = true
			case "inline":
				inline = true
			}
		}
		if inline {
			for _, inner := range tagsOf(f.Type) {
				inner.index = append(append([]int{}, f.Index...), inner.index...)
				tags = append(tags, inner)
			}
			continue
		}
		one.fallback = f.Tag.Get("default")
		one.min, one.max = f.Tag.Get("min"), f.Tag.Get("max")
		one.example, one.doc = f.Tag.Get("example"), f.Tag.Get("doc")
		if enum := f.Tag.Get("enum"); enum != "" {
			one.enum = strings.Split(enum, "|")
		}
		one.secret = one.secret || f.Type == secretType
		tags = append(tags, one)
	}
	return tags
}

func names(tags []tag) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = t.name
	}
	return out
}

// Setting describes one key of a configuration struct.
type Setting struct {
	// Path is dotted; an element of a list of objects is written N.
	Path string
	// Type is string, bool, int, float, duration, size, list or map.
	Type             string
	Required, Secret bool
	// Default is the text of the default; "" is none.
	Default string
	Enum    []string
	Min     string
	Max     string
	Example string
	Doc     string
}

// Describe lists the keys of a struct, or of what a pointer points to, in the
// order of its fields.
func Describe(of any) []Setting {
	return describe(structType(reflect.TypeOf(of)), "")
}

func structType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func describe(t reflect.Type, prefix string) []Setting {
	var out []Setting
	for _, f := range tagsOf(t) {
		path := join(prefix, f.name)
		switch inner, repeated := objectOf(f.typ); {
		case inner != nil && repeated:
			out = append(out, describe(inner, path+".N")...)
		case inner != nil:
			out = append(out, describe(inner, path)...)
		default:
			out = append(out, Setting{
				Path: path, Type: typeName(f.typ), Required: f.required, Secret: f.secret, Default: f.fallback,
				Enum: f.enum, Min: f.min, Max: f.max, Example: f.example, Doc: f.doc,
			})
		}
	}
	return out
}

// objectOf returns the struct behind a field that is one, or a list of them;
// nil for everything that is written as a scalar.
func objectOf(t reflect.Type) (inner reflect.Type, repeated bool) {
	t = structType(t)
	if t.Kind() == reflect.Slice {
		t, repeated = structType(t.Elem()), true
	}
	if t.Kind() != reflect.Struct || t == nodeType || isText(t) || isCustom(t) {
		return nil, false
	}
	return t, repeated
}

func typeName(t reflect.Type) string {
	t = structType(t)
	switch {
	case t == durationType:
		return "duration"
	case t == sizeType:
		return "size"
	case t == nodeType || isCustom(t):
		return "map"
	case isText(t):
		return "string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "int"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.Slice:
		return "list"
	case reflect.Map, reflect.Struct:
		return "map"
	default:
		return "string"
	}
}

// Vet reports what is wrong with the tags of a struct: keys without a doc,
// defaults that their own field refuses. For the tests of packages that
// define one.
func Vet(of any) error {
	var errs []error
	t := structType(reflect.TypeOf(of))
	for _, s := range Describe(of) {
		if s.Doc == "" {
			errs = append(errs, fmt.Errorf("%s: no doc", s.Path))
		}
		if s.Required && s.Default != "" {
			errs = append(errs, fmt.Errorf("%s: required and with a default", s.Path))
		}
	}
	d := decoder{}
	d.defaults(reflect.New(t).Elem(), "")
	for _, e := range d.errs {
		errs = append(errs, fmt.Errorf("default of %w", e))
	}
	return errors.Join(errs...)
}
