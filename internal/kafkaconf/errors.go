package kafkaconf

import (
	"fmt"
	"strings"
)

// Error is a value that a config cannot have, or a name that is no config.
type Error struct {
	Name  string
	Value string
	// Problem says why, and what is valid.
	Problem string
	// Unknown is set where the name, not the value, is at fault.
	Unknown bool
}

func (e Error) Error() string {
	if e.Unknown {
		return fmt.Sprintf("unknown config %s: %s", e.Name, e.Problem)
	}
	return fmt.Sprintf("invalid value %q for config %s: %s", e.Value, e.Name, e.Problem)
}

// Errors is everything that is wrong with a set of configs.
type Errors []Error

func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, one := range e {
		parts[i] = one.Error()
	}
	return strings.Join(parts, "; ")
}
