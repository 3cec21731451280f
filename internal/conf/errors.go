package conf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Line and Column count from 1; a zero Line
// means that the value came from no file.
type Position struct {
	File         string
	Line, Column int
}

// Error is one fault of a configuration.
type Error struct {
	Position
	// Path is the dotted path of the key that is at fault; empty for the
	// file as a whole and for faults of the syntax.
	Path string
	// Message says what is wrong and names the key.
	Message string
}

// Error gives "file:line:column: message", or the message alone where there
// is no file.
func (e Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	case e.File != "":
		return e.File + ": " + e.Message
	default:
		return e.Message
	}
}

// Errors are all faults of one configuration, in the order of the file.
type Errors []Error

// Error gives one line per fault.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Join makes one error of the faults of several checks, in the order of the
// file; nil where there is none. What is no fault of this package stands
// alone.
func Join(errs ...error) error {
	var all Errors
	for _, err := range errs {
		var several Errors
		var one Error
		switch {
		case err == nil:
		case errors.As(err, &several):
			all = append(all, several...)
		case errors.As(err, &one):
			all = append(all, one)
		default:
			return errors.Join(errs...)
		}
	}
	return all.orNil()
}

// orNil sorts the faults by place and makes an error of them; none is nil.
func (es Errors) orNil() error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return es
}
