package schema

import (
	"errors"
	"fmt"
	"strings"
)

// What can go wrong, for errors.Is.
var (
	// ErrNotFound: the registry knows no such subject, version, id or schema.
	ErrNotFound = errors.New("not found")
	// ErrIncompatible: the schema contradicts an earlier one of its subject,
	// or data was written with a schema that the reader's cannot resolve.
	ErrIncompatible = errors.New("incompatible schema")
	// ErrPoison: the bytes can never be decoded; trying again is no use.
	ErrPoison = errors.New("poison record")
	// ErrUnavailable: the registry did not answer, or not in time.
	ErrUnavailable = errors.New("schema registry unavailable")
	// ErrInvalid: the registry or the serde refuses the request as it stands:
	// an invalid schema, a value that does not fit its schema.
	ErrInvalid = errors.New("invalid")
)

// Error is what every operation of this package fails with. Fields that do not
// apply are zero.
type Error struct {
	// Op is what was being done: "encode", "decode", "register", "look up"...
	Op string
	// Topic and Subject name what it was about.
	Topic, Subject string
	// ID is the schema id, from the frame or from the registry.
	ID int
	// Path is the field, as names joined by dots.
	Path string
	// Offset is the position in the encoded value where decoding failed, in
	// bytes from its start, frame included; -1 when it is not known.
	Offset int
	// Code is the registry's error_code, such as 40401, or an HTTP status.
	Code int
	// Retryable says that the same call may succeed later.
	Retryable bool
	// Err is the cause. It wraps one or more of the errors above.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("schema: ")
	b.WriteString(e.Op)
	for _, part := range []struct{ label, value string }{
		{"topic", e.Topic}, {"subject", e.Subject}, {"field", e.Path},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s %q", part.label, part.value)
		}
	}
	if e.ID != 0 {
		fmt.Fprintf(&b, " schema %d", e.ID)
	}
	if e.Offset > 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	b.WriteString(": ")
	b.WriteString(e.Err.Error())
	if e.Code != 0 {
		fmt.Fprintf(&b, " (registry code %d)", e.Code)
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Err }

// kindError marks a cause with what it means, without changing its text.
type kindError struct {
	cause error
	kinds []error
}

func (e *kindError) Error() string   { return e.cause.Error() }
func (e *kindError) Unwrap() []error { return append([]error{e.cause}, e.kinds...) }

// as marks err with the kinds that errors.Is shall find.
func as(err error, kinds ...error) error { return &kindError{cause: err, kinds: kinds} }
