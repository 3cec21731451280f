package registry

import (
	"fmt"
	"strings"

	"github.com/millrace-io/millrace/schema/compat"
)

// verdict is the outcome of a compatibility check.
type verdict struct {
	compatible bool
	messages   []string
}

// check compares a candidate with versions of a subject, oldest first, at a
// level. The caller holds the state still.
func (s *State) check(parsed *parsedSchemas, next *candidate, level compat.Level, previous []*Version) (verdict, error) {
	if level == compat.None || len(previous) == 0 {
		return verdict{compatible: true}, nil
	}
	if !level.Transitive() {
		previous = previous[len(previous)-1:]
	}
	schemas := make([]*compat.Schema, len(previous))
	for i, v := range previous {
		if v.Type != next.Type {
			return verdict{messages: []string{fmt.Sprintf(
				"{errorType:'SCHEMA_TYPE_MISMATCH', description:'The schema of type %s cannot follow version %d of type %s'}",
				next.Type, v.Number, v.Type)}}, nil
		}
		schema, err := parsed.parse(s, v.content)
		if err != nil {
			return verdict{}, errInvalidSchema("Version %d of the subject cannot be parsed: %v", v.Number, err)
		}
		schemas[i] = schema
	}
	found := compat.Check(level, next.parsed, schemas...)
	if len(found) == 0 {
		return verdict{compatible: true}, nil
	}
	return verdict{messages: explain(found, level, previous)}, nil
}

// explain writes differences as Confluent's messages: one for each, then the
// version they are against, its schema and the level. Snippets and remedy are
// ours.
func explain(found []compat.Difference, level compat.Level, previous []*Version) []string {
	var messages []string
	for i, d := range found {
		var b strings.Builder
		fmt.Fprintf(&b, "{errorType:'%s', description:'%s', additionalInfo:'%s'", d.Kind, d.Description(), d.Info)
		old, next := d.Reader, d.Writer
		if d.ReaderIsNew {
			old, next = d.Writer, d.Reader
		}
		for _, part := range []struct{ label, text string }{{"old", old}, {"new", next}, {"remedy", d.Remedy}} {
			if part.text != "" {
				fmt.Fprintf(&b, ", %s:'%s'", part.label, part.text)
			}
		}
		messages = append(messages, b.String()+"}")
		if i+1 == len(found) || found[i+1].Against != d.Against {
			v := previous[d.Against]
			messages = append(messages, fmt.Sprintf("{oldSchemaVersion: %d}", v.Number), fmt.Sprintf("{oldSchema: '%s'}", v.Text))
		}
	}
	return append(messages, fmt.Sprintf("{compatibility: '%s'}", level))
}
