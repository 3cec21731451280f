package compat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/schema/internal/avrotext"
	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

// Resolve returns every reason why the reader cannot resolve what the writer
// wrote. Remedies take the reader for the schema that can still be changed.
func Resolve(reader, writer *Schema) []Difference { return resolve(reader, writer, true) }

// resolve words its remedies for whichever of the two is new.
func resolve(reader, writer *Schema, readerIsNew bool) []Difference {
	r := &resolution{verdicts: make(map[pair][]Difference), readerIsNew: readerIsNew}
	found := r.types(reader.root, writer.root, place{})
	// A type that is referred to twice brings what is wrong in it twice.
	seen := make(map[Difference]bool)
	return slices.DeleteFunc(found, func(d Difference) bool {
		again := seen[d]
		seen[d] = true
		return again
	})
}

type pair struct{ reader, writer *node }

// resolution compares two schemas. A pair that is met again, in a recursive
// type or by a second reference, is not compared again: verdicts holds what
// was found, and nothing while the comparison is under way, which is what a
// recursive type may assume.
type resolution struct {
	verdicts    map[pair][]Difference
	readerIsNew bool
}

// old is the one of two types that cannot be changed any more.
func (r *resolution) old(reader, writer *node) *node {
	if r.readerIsNew {
		return writer
	}
	return reader
}

// remedy chooses the advice for the schema that is new.
func (r *resolution) remedy(ifReader, ifWriter string) string {
	if r.readerIsNew {
		return ifReader
	}
	return ifWriter
}

// place is where in the schemas the comparison is.
type place struct {
	path  string
	field string
}

func (p place) in(steps ...string) place {
	for _, step := range steps {
		p.path += "/" + step
	}
	return p
}

func (r *resolution) types(reader, writer *node, at place) []Difference {
	key := pair{reader, writer}
	if reader.name != "" || writer.name != "" { // only named types can be met again
		if found, ok := r.verdicts[key]; ok {
			return found
		}
		r.verdicts[key] = nil
	}
	found := r.compare(reader, writer, at)
	if reader.name != "" || writer.name != "" {
		r.verdicts[key] = found
	}
	return found
}

func (r *resolution) compare(reader, writer *node, at place) []Difference {
	switch {
	case writer.kind == "union" && reader.kind == "union":
		return r.branches(reader, writer, at)
	case writer.kind == "union":
		var found []Difference
		for _, branch := range writer.inner {
			found = append(found, r.types(reader, branch, at)...)
		}
		return found
	case reader.kind == "union":
		return r.intoUnion(reader, writer, at)
	case reader.kind != writer.kind:
		if promotes(writer.kind, reader.kind) {
			return nil
		}
		return []Difference{r.mismatch(reader, writer, at)}
	}
	switch reader.kind {
	case "array":
		return r.types(reader.inner[0], writer.inner[0], at.in("items"))
	case "map":
		return r.types(reader.inner[0], writer.inner[0], at.in("values"))
	case "fixed":
		return append(r.names(reader, writer, at), r.fixed(reader, writer, at)...)
	case "enum":
		return append(r.names(reader, writer, at), r.symbols(reader, writer, at)...)
	case "record":
		return append(r.names(reader, writer, at), r.fields(reader, writer, at)...)
	}
	return r.decimals(reader, writer, at)
}

// promotes reports whether a value of one primitive may be read as another.
func promotes(writer, reader string) bool {
	switch reader {
	case "long":
		return writer == "int"
	case "float":
		return writer == "int" || writer == "long"
	case "double":
		return writer == "int" || writer == "long" || writer == "float"
	case "bytes":
		return writer == "string"
	case "string":
		return writer == "bytes"
	}
	return false
}

// branches resolves union to union: each branch that may have been written
// needs one that reads it.
func (r *resolution) branches(reader, writer *node, at place) []Difference {
	var found []Difference
	for i, branch := range writer.inner {
		found = append(found, r.intoUnion(reader, branch, at.in(strconv.Itoa(i)))...)
	}
	return found
}

// intoUnion looks for a branch that reads what was written. If there is none
// but one of the same name, what is wrong inside of that says more than that
// there is none.
func (r *resolution) intoUnion(reader, writer *node, at place) []Difference {
	var nearest []Difference
	for _, branch := range reader.inner {
		if branch.kind != writer.kind && !promotes(writer.kind, branch.kind) {
			continue
		}
		found := r.types(branch, writer, at)
		if len(found) == 0 {
			return nil
		}
		if branch.kind == writer.kind && (branch.name == "" || sameName(branch, writer)) {
			nearest = found
		}
	}
	if nearest != nil {
		return nearest
	}
	return []Difference{{
		Kind: MissingUnionBranch, Path: pointer(at), Field: at.field,
		Info:   "reader union lacking writer type: " + strings.ToUpper(writer.kind),
		Reader: snippet(reader.source), Writer: snippet(writer.source),
		Remedy: r.remedy(fmt.Sprintf("keep %s in the union", label(writer)),
			fmt.Sprintf("leave %s out of the union until every reader knows it", label(writer))),
	}}
}

func (r *resolution) fields(reader, writer *node, at place) []Difference {
	var found []Difference
	for i, f := range reader.fields {
		inner := at.in("fields", strconv.Itoa(i))
		inner.field = f.name
		written, ok := source(f, writer.fields)
		switch {
		case ok:
			found = append(found, r.types(f.kind, written.kind, inner.in("type"))...)
		case !f.hasDefault:
			found = append(found, Difference{
				Kind: MissingDefault, Path: pointer(inner), Field: f.name, Info: f.name,
				Reader: snippet(f.source),
				Remedy: r.remedy(fmt.Sprintf(`give field %q a default, or write it as a union with null first and "default": null`, f.name),
					fmt.Sprintf("keep field %q: the old schema has no default for it", f.name)),
			})
		}
	}
	return found
}

// source finds the written field that a reader's field takes its value from.
func source(f field, written []field) (field, bool) {
	for _, name := range append([]string{f.name}, f.aliases...) {
		for _, w := range written {
			if w.name == name {
				return w, true
			}
		}
	}
	return field{}, false
}

// sameName follows Apache Avro: the names without namespaces are equal, or the
// writer's full name is an alias of the reader.
func sameName(reader, writer *node) bool {
	return simple(reader.name) == simple(writer.name) || slices.Contains(reader.aliases, writer.name)
}

func (r *resolution) names(reader, writer *node, at place) []Difference {
	if sameName(reader, writer) {
		return nil
	}
	return []Difference{{
		Kind: NameMismatch, Path: pointer(at.in("name")), Field: at.field,
		Info:   "expected: " + writer.name,
		Reader: snippet(reader.source), Writer: snippet(writer.source),
		Remedy: r.remedy(fmt.Sprintf("keep the name %q, or list it in the aliases of %q", writer.name, reader.name),
			fmt.Sprintf("keep the name %q", reader.name)),
	}}
}

func (r *resolution) fixed(reader, writer *node, at place) []Difference {
	if reader.size == writer.size {
		return r.decimals(reader, writer, at)
	}
	return []Difference{{
		Kind: FixedSizeMismatch, Path: pointer(at.in("size")), Field: at.field,
		Info:   fmt.Sprintf("expected: %d, found: %d", writer.size, reader.size),
		Reader: snippet(reader.source), Writer: snippet(writer.source),
		Remedy: fmt.Sprintf("keep the size of %d bytes, or define a type of another name", r.old(reader, writer).size),
	}}
}

func (r *resolution) symbols(reader, writer *node, at place) []Difference {
	var lost []string
	for _, symbol := range writer.symbols {
		if !slices.Contains(reader.symbols, symbol) {
			lost = append(lost, symbol)
		}
	}
	if len(lost) == 0 || reader.orElse {
		return nil
	}
	return []Difference{{
		Kind: MissingEnumSymbols, Path: pointer(at.in("symbols")), Field: at.field,
		Info:   "[" + strings.Join(lost, ", ") + "]",
		Reader: snippet(reader.source), Writer: snippet(writer.source),
		Remedy: r.remedy(fmt.Sprintf("keep the symbols %s, or give enum %q a default", strings.Join(lost, ", "), reader.name),
			fmt.Sprintf("leave the symbols %s out until every reader knows them", strings.Join(lost, ", "))),
	}}
}

func (r *resolution) decimals(reader, writer *node, at place) []Difference {
	if reader.decimal == writer.decimal || reader.decimal == "" || writer.decimal == "" {
		return nil
	}
	return []Difference{{
		Kind: TypeMismatch, Path: pointer(at), Field: at.field,
		Info:   fmt.Sprintf("reader type: DECIMAL(%s) not compatible with writer type: DECIMAL(%s)", reader.decimal, writer.decimal),
		Reader: snippet(reader.source), Writer: snippet(writer.source),
		Remedy: fmt.Sprintf("keep precision and scale %s, or add a field", r.old(reader, writer).decimal),
	}}
}

func (r *resolution) mismatch(reader, writer *node, at place) Difference {
	return Difference{
		Kind: TypeMismatch, Path: pointer(at), Field: at.field,
		Info: fmt.Sprintf("reader type: %s not compatible with writer type: %s",
			strings.ToUpper(reader.kind), strings.ToUpper(writer.kind)),
		Reader: snippet(reader.source), Writer: snippet(writer.source),
		Remedy: fmt.Sprintf("keep the type %s, or add a field of another name with a default", label(r.old(reader, writer))),
	}
}

func label(n *node) string {
	if n.name != "" {
		return strconv.Quote(n.name)
	}
	return strconv.Quote(n.kind)
}

func pointer(at place) string {
	if at.path == "" {
		return "/"
	}
	return at.path
}

const maxSnippet = 160

func snippet(v strictjson.Value) string {
	s := string(avrotext.AppendValue(nil, v))
	if len(s) <= maxSnippet {
		return s
	}
	return strings.ToValidUTF8(s[:maxSnippet], "") + "…"
}
