package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
)

// formats are what -o can ask for.
var formats = []string{"table", "wide", "json", "jsonl", "yaml", "name"}

// view is data in the forms that -o can ask for.
type view struct {
	// data is printed by json, jsonl and yaml: an object, or a list of them.
	data any
	// header and rows are the table; wide adds the columns behind narrow.
	header []string
	rows   [][]string
	narrow int
	// names are printed by name.
	names []string
}

func (s *shell) print(v view) error {
	switch s.format {
	case "json", "yaml":
		return s.document(v.data)
	case "jsonl":
		return s.lines(v.data)
	case "name":
		for _, name := range v.names {
			if _, err := fmt.Fprintln(s.out, name); err != nil {
				return err
			}
		}
		return nil
	default:
		return s.table(v)
	}
}

// document prints an object with the version of its shape in front, a list as
// the items of such an object.
func (s *shell) document(data any) error {
	text, err := encode(data)
	if err != nil {
		return err
	}
	if text[0] == '[' {
		text = slices.Concat([]byte(`{"items":`), text, []byte("}"))
	}
	text = versioned(text)
	if s.format == "yaml" {
		text, err = yaml.JSONToYAML(text)
	} else {
		var indented bytes.Buffer
		err = json.Indent(&indented, text, "", "  ")
		text = append(indented.Bytes(), '\n')
	}
	if err != nil {
		return err
	}
	_, err = s.out.Write(text)
	return err
}

// lines prints each item of a list as an object on a line of its own.
func (s *shell) lines(data any) error {
	text, err := encode(data)
	if err != nil {
		return err
	}
	items := []json.RawMessage{text}
	if text[0] == '[' {
		if err := json.Unmarshal(text, &items); err != nil {
			return err
		}
	}
	for _, item := range items {
		if _, err := fmt.Fprintf(s.out, "%s\n", versioned(item)); err != nil {
			return err
		}
	}
	return nil
}

// encode is json.Marshal that leaves <, > and & as they are: nothing here is
// put into a web page.
func encode(data any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(data)
	return bytes.TrimSpace(b.Bytes()), err
}

// versioned puts the version of its shape in front of an object's fields. It
// grows when a field changes its meaning or goes away, not when one is added.
func versioned(object []byte) []byte {
	const first = `{"_v":1`
	rest := object[1:]
	if rest[0] != '}' {
		rest = append([]byte{','}, rest...)
	}
	return append([]byte(first), rest...)
}

func (s *shell) table(v view) error {
	columns := len(v.header)
	if s.format != "wide" && v.narrow > 0 {
		columns = v.narrow
	}
	w := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{v.header}, v.rows...) {
		if err := writeRow(w, row[:columns]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// oneLine keeps what comes from elsewhere from breaking the table.
var oneLine = strings.NewReplacer("\n", " ", "\t", " ", "\r", "")

func writeRow(w io.Writer, row []string) error {
	cells := make([]string, len(row))
	for i, cell := range row {
		cells[i] = oneLine.Replace(cell)
	}
	_, err := fmt.Fprintln(w, strings.Join(cells, "\t"))
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func firstLine(text string) string { line, _, _ := strings.Cut(text, "\n"); return line }
