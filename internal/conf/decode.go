package conf

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Custom decodes itself from a node. Faults are Error or Errors, best made by
// Node.Errorf; another error is shown at the node.
type Custom interface {
	DecodeConf(n *Node, s Secrets) error
}

// Validator is a struct that is checked as a whole once all of its keys are
// read without a fault. Faults wrapped by At, also several joined, are shown
// at the key they name.
type Validator interface {
	Validate() error
}

// At says which key of a struct a Validator's fault is about; it may be a
// path, such as mirrors[0].from.
func At(key string, err error) error { return keyed{key, err} }

type keyed struct {
	key string
	err error
}

func (k keyed) Error() string { return k.key + ": " + k.err.Error() }
func (k keyed) Unwrap() error { return k.err }

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
	secretType   = reflect.TypeFor[Secret]()
	nodeType     = reflect.TypeFor[Node]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	customType   = reflect.TypeFor[Custom]()
)

func isText(t reflect.Type) bool   { return reflect.PointerTo(t).Implements(textType) }
func isCustom(t reflect.Type) bool { return reflect.PointerTo(t).Implements(customType) }

// Load parses a file and decodes it onto the struct that into points to, with
// every placeholder allowed. The error is an Errors with all faults.
//
// Where the struct is a Validator, it is asked also when its parts have faults,
// so that what spans them is said in the same run: it must be content with keys
// that could not be read and are zero. What it says of a key that has a fault
// already is left out.
func Load(file string, data []byte, into any) error {
	root, parseErr := Parse(file, data)
	var errs Errors
	if parseErr != nil && !errors.As(parseErr, &errs) {
		return parseErr
	}
	if root == nil || root.Kind != Mapping {
		return parseErr
	}
	if err := root.Decode(into, Secrets{Any: true}); err != nil {
		var found Errors
		if !errors.As(err, &found) {
			return err
		}
		errs = append(errs, found...)
		if v, ok := into.(Validator); ok {
			errs = append(errs, unsaid(errs, root.place(v.Validate()))...)
		}
	}
	return errs.orNil()
}

// place spreads the faults of a Validator over the node.
func (n *Node) place(err error) Errors {
	var d decoder
	d.validation(n, err)
	return d.errs
}

// unsaid leaves out faults of keys that have one already: what could not be
// read is wrong once, not once for each thing that depends on it.
func unsaid(said, more Errors) Errors {
	return slices.DeleteFunc(more, func(e Error) bool {
		return slices.ContainsFunc(said, func(s Error) bool { return s.Path == e.Path })
	})
}

// Decode reads the node onto what into points to. Keys that are absent get
// their defaults. The error is an Errors with all faults.
func (n *Node) Decode(into any, s Secrets) error {
	d := decoder{secrets: s}
	d.value(n, reflect.ValueOf(into).Elem(), tag{})
	return d.errs.orNil()
}

type decoder struct {
	secrets Secrets
	errs    Errors
}

func (d *decoder) fail(n *Node, format string, args ...any) {
	d.errs = append(d.errs, n.Errorf(format, args...))
}

// failAs adds an error of other code, at n unless it has a place of its own.
func (d *decoder) failAs(n *Node, err error) {
	var several Errors
	var one Error
	switch {
	case errors.As(err, &several):
		d.errs = append(d.errs, several...)
	case errors.As(err, &one):
		d.errs = append(d.errs, one)
	default:
		d.fail(n, "%s", err)
	}
}

func (d *decoder) value(n *Node, into reflect.Value, f tag) {
	if n.broken {
		return
	}
	if into.Kind() == reflect.Pointer {
		if into.Type().Elem() == nodeType {
			into.Set(reflect.ValueOf(n))
			return
		}
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		d.value(n, into.Elem(), f)
		return
	}
	if custom, ok := into.Addr().Interface().(Custom); ok {
		if err := custom.DecodeConf(n, d.secrets); err != nil {
			d.failAs(n, err)
		}
		return
	}
	if isText(into.Type()) {
		d.scalar(n, into, f)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.object(n, into)
	case reflect.Map:
		d.mapping(n, into, f)
	case reflect.Slice:
		d.list(n, into, f)
	default:
		d.scalar(n, into, f)
	}
}

func (d *decoder) object(n *Node, into reflect.Value) {
	if n.Kind != Mapping && n.Kind != Null {
		d.fail(n, "need a mapping, got %s", n.Kind)
		return
	}
	before := len(d.errs)
	tags := tagsOf(into.Type())
	known := map[string]tag{}
	for _, t := range tags {
		known[t.name] = t
	}
	for _, f := range n.Fields {
		t, ok := known[f.Key]
		switch {
		case ok:
			d.value(f.Value, into.FieldByIndex(t.index), t)
		case n.Path != "" || !strings.HasPrefix(f.Key, "x-"):
			d.unknown(n, f, names(tags))
		}
	}
	for _, t := range tags {
		if _, given := n.Lookup(t.name); given {
			continue
		}
		if t.required {
			missing := fault(n.first(), n.Path, "missing key %s", t.name)
			missing.Path = join(n.Path, t.name)
			d.errs = append(d.errs, missing)
			continue
		}
		d.fallback(into.FieldByIndex(t.index), t, join(n.Path, t.name))
	}
	if len(d.errs) == before {
		d.validate(n, into)
	}
}

func (d *decoder) unknown(n *Node, f Field, known []string) {
	path := join(n.Path, f.Key)
	message := "unknown key " + path
	if hint := didYouMean(f.Key, known); hint != "" {
		message += hint
	} else if len(known) > 0 && len(known) <= 12 {
		message += " (keys here: " + strings.Join(known, ", ") + ")"
	}
	d.errs = append(d.errs, Error{f.Pos, path, message})
}

func (d *decoder) validate(n *Node, into reflect.Value) {
	v, ok := into.Addr().Interface().(Validator)
	if !ok {
		return
	}
	d.validation(n, v.Validate())
}

// validation spreads the faults of a Validator over the keys they name.
func (d *decoder) validation(n *Node, err error) {
	if err == nil {
		return
	}
	var at keyed
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			d.validation(n, one)
		}
	} else if errors.As(err, &at) {
		child, ok := n.Find(at.key)
		if ok {
			d.validation(child, at.err)
			return
		}
		d.errs = append(d.errs, fault(child.first(), join(n.Path, at.key), "%s", at.err))
	} else {
		where := *n
		where.Pos = n.first()
		d.failAs(&where, err)
	}
}

// fallback fills a key that is absent. A struct gets the defaults of its own
// keys and nothing in it is required, because the section is not there.
func (d *decoder) fallback(into reflect.Value, f tag, path string) {
	switch {
	case f.fallback != "" && into.IsZero():
		d.value(&Node{Kind: Text, Text: f.fallback, Path: path}, into, f)
	case into.Kind() == reflect.Struct && !isText(into.Type()) && !isCustom(into.Type()):
		d.defaults(into, path)
	}
}

func (d *decoder) defaults(into reflect.Value, path string) {
	for _, t := range tagsOf(into.Type()) {
		d.fallback(into.FieldByIndex(t.index), t, join(path, t.name))
	}
}

func (d *decoder) mapping(n *Node, into reflect.Value, f tag) {
	if n.Kind != Mapping && n.Kind != Null {
		d.fail(n, "need a mapping, got %s", n.Kind)
		return
	}
	f.loose = true
	into.Set(reflect.MakeMapWithSize(into.Type(), len(n.Fields)))
	for _, field := range n.Fields {
		value := reflect.New(into.Type().Elem()).Elem()
		d.value(field.Value, value, f)
		into.SetMapIndex(reflect.ValueOf(field.Key).Convert(into.Type().Key()), value)
	}
}

func (d *decoder) list(n *Node, into reflect.Value, f tag) {
	items := n.Items
	switch n.Kind {
	case Sequence, Null:
	case Text:
		items = nil
		for i, text := range splitList(n.Text) {
			items = append(items, &Node{Kind: Text, Pos: n.Pos, Path: n.Path + "[" + strconv.Itoa(i) + "]", Text: text})
		}
	default:
		hint := ""
		if n.IsScalar() && !f.secret {
			hint = fmt.Sprintf(" (write [%s])", n.Text)
		}
		d.fail(n, "need a list, got %s%s", n.Kind, hint)
		return
	}
	if f.required && len(items) == 0 {
		d.fail(n, "must not be empty")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
	for i, item := range items {
		d.value(item, into.Index(i), f)
	}
}
