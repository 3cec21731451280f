package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
)

// view is data in the forms that -o can ask for.
type view struct {
	// data is printed by json, jsonl and yaml; a list becomes items.
	data any
	// header and rows are the table; wide adds the columns behind narrow.
	header []string
	rows   [][]string
	narrow int
	// names are printed by name.
	names []string
}

// versioned is the envelope of JSON and YAML output.
type versioned struct {
	Version int `json:"_v" yaml:"_v"`
	Items   any `json:"items,omitempty" yaml:"items,omitempty"`
	Item    any `json:"item,omitempty" yaml:"item,omitempty"`
}

func (s *shell) print(v view) error {
	switch s.format {
	case "table", "wide":
		return s.table(v)
	case "json":
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v.envelope())
	case "jsonl":
		return s.lines(v.data)
	case "yaml":
		return yaml.NewEncoder(s.out, yaml.UseJSONMarshaler()).Encode(v.envelope())
	case "name":
		for _, name := range v.names {
			if _, err := fmt.Fprintln(s.out, name); err != nil {
				return err
			}
		}
		return nil
	default:
		return usage("-o %s: need table, wide, json, jsonl, yaml or name", s.format)
	}
}

func (v view) envelope() versioned {
	if v.isList() {
		return versioned{Version: 1, Items: v.data}
	}
	return versioned{Version: 1, Item: v.data}
}

func (v view) isList() bool {
	text, err := json.Marshal(v.data)
	return err == nil && len(text) > 0 && text[0] == '['
}

// lines prints each item of a list as a line of JSON.
func (s *shell) lines(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	var items []json.RawMessage
	if json.Unmarshal(text, &items) != nil {
		items = []json.RawMessage{text}
	}
	for _, item := range items {
		if _, err := fmt.Fprintf(s.out, "%s\n", item); err != nil {
			return err
		}
	}
	return nil
}

func (s *shell) table(v view) error {
	columns := len(v.header)
	if s.format == "table" && v.narrow > 0 {
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

func writeRow(w io.Writer, row []string) error {
	for i, cell := range row {
		if i > 0 {
			cell = "\t" + cell
		}
		if _, err := io.WriteString(w, cell); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
