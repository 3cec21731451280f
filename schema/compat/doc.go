// Package compat decides whether schemas may follow each other: pure functions,
// usable without a registry.
//
//	next, err := compat.ParseAvro(text)
//	report := compat.Check(compat.Backward, next, previous...)
//	for _, d := range report { fmt.Println(d) }
//
// A schema pair has a direction: the reader must be able to resolve what the
// writer wrote. The levels say who reads whom:
//
//	level       reader → writer
//	BACKWARD    new → last            upgrade consumers first
//	FORWARD     last → new            upgrade producers first
//	FULL        both
//	*_TRANSITIVE  the same against all versions, not only the last
//	NONE        anything goes
//
// The rules are those of the Avro specification's schema resolution, with the
// verdicts and kinds of Apache Avro's SchemaCompatibility:
//
//	NAME_MISMATCH, FIXED_SIZE_MISMATCH, MISSING_ENUM_SYMBOLS, TYPE_MISMATCH,
//	MISSING_UNION_BRANCH, READER_FIELD_MISSING_DEFAULT_VALUE
//
// Two things go further. Every difference is reported, not the first, with its
// place, both snippets and a remedy. And decimals of another precision or
// scale are a TYPE_MISMATCH: the specification asks for equal ones, and
// reading them otherwise moves the decimal point silently.
package compat
