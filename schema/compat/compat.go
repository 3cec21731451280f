package compat

import (
	"fmt"
	"strings"
)

// Kind names the rule that a difference breaks, as Apache Avro does.
type Kind string

// The kinds of differences.
const (
	NameMismatch       Kind = "NAME_MISMATCH"
	FixedSizeMismatch  Kind = "FIXED_SIZE_MISMATCH"
	MissingEnumSymbols Kind = "MISSING_ENUM_SYMBOLS"
	MissingDefault     Kind = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch       Kind = "TYPE_MISMATCH"
	MissingUnionBranch Kind = "MISSING_UNION_BRANCH"
)

// Difference is one reason why a reader cannot resolve what a writer wrote.
type Difference struct {
	Kind Kind
	// Path is the place as a JSON pointer: into the reader's schema, or for a
	// missing union branch into the writer's.
	Path string
	// Field is the name of the innermost field around it, empty outside of
	// records.
	Field string
	// Info is the detail in Apache Avro's words.
	Info string
	// Reader and Writer are the two places as Avro JSON, shortened.
	Reader, Writer string
	// Remedy is one way to mend it.
	Remedy string
	// ReaderIsNew says that the new schema is the reader (BACKWARD).
	ReaderIsNew bool
	// Against is the index of the other schema in Check's previous.
	Against int
}

// Description says in a sentence what is wrong, in the words that clients of a
// Confluent registry know.
func (d Difference) Description() string {
	reader, writer := "old", "new"
	if d.ReaderIsNew {
		reader, writer = "new", "old"
	}
	switch d.Kind {
	case NameMismatch:
		return fmt.Sprintf("The name of the schema has changed (path '%s')", d.Path)
	case FixedSizeMismatch:
		return fmt.Sprintf("The size of FIXED type field at path '%s' in the %s schema does not match with the %s schema", d.Path, reader, writer)
	case MissingEnumSymbols:
		return fmt.Sprintf("The %s schema is missing enum symbols '%s' at path '%s' in the %s schema", reader, d.Info, d.Path, writer)
	case MissingDefault:
		return fmt.Sprintf("The field '%s' at path '%s' in the %s schema has no default value and is missing in the %s schema", d.Info, d.Path, reader, writer)
	case TypeMismatch:
		return fmt.Sprintf("The type (path '%s') of a field in the %s schema does not match with the %s schema", d.Path, reader, writer)
	case MissingUnionBranch:
		return fmt.Sprintf("The %s schema is missing a type inside a union field at path '%s' in the %s schema", reader, d.Path, writer)
	}
	return string(d.Kind)
}

// String is the difference for a person, on several lines.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)", d.Kind, d.Description(), d.Info)
	old, next := d.Reader, d.Writer
	if d.ReaderIsNew {
		old, next = d.Writer, d.Reader
	}
	if old != "" {
		fmt.Fprintf(&b, "\n  old: %s", old)
	}
	if next != "" {
		fmt.Fprintf(&b, "\n  new: %s", next)
	}
	if d.Remedy != "" {
		fmt.Fprintf(&b, "\n  try: %s", d.Remedy)
	}
	return b.String()
}

// Check compares a schema with those before it, oldest first, and returns every
// difference that the level forbids; none means compatible.
func Check(level Level, next *Schema, previous ...*Schema) []Difference {
	first := 0
	if !level.Transitive() {
		first = max(len(previous)-1, 0)
	}
	var found []Difference
	for i := len(previous) - 1; i >= first; i-- { // the newest is the likeliest
		if level.backward() {
			found = append(found, directed(next, previous[i], true, i)...)
		}
		if level.forward() {
			found = append(found, directed(previous[i], next, false, i)...)
		}
	}
	return found
}

func directed(reader, writer *Schema, readerIsNew bool, against int) []Difference {
	found := resolve(reader, writer, readerIsNew)
	for i := range found {
		found[i].ReaderIsNew, found[i].Against = readerIsNew, against
	}
	return found
}
