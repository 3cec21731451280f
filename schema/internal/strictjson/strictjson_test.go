package strictjson

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseKeepsOrderNumbersAndOffsets(t *testing.T) {
	text := "{\"z\": 1.50,\n \"a\": [true, null, \"x\\u00e9\"]}"
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if v.Kind != Object || v.Members[0].Key != "z" || v.Members[1].Key != "a" {
		t.Fatalf("members out of order: %+v", v.Members)
	}
	if n := v.Members[0].Value; n.Text != "1.50" || text[n.Offset:n.Offset+4] != "1.50" {
		t.Errorf("number %q at %d", n.Text, n.Offset)
	}
	items := v.Members[1].Value.Items
	if items[0].Text != "true" || items[1].Kind != Null || items[2].Text != "xé" {
		t.Errorf("items %+v", items)
	}
	if text[items[2].Offset] != '"' || text[v.Members[1].Offset:][:3] != `"a"` {
		t.Errorf("offsets point elsewhere: %+v", v.Members[1])
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "line 1, column 1: the text ends in the middle of a value"},
		{"truncated", `{"a": [1, 2`, "line 1, column 12: the text ends in the middle of a value"},
		{"trailing", "{}\n  x", "line 2, column 3: more text after the value"},
		{"trailing value", "1 2", "line 1, column 3: more text after the value"},
		{"duplicate key", "{\"a\": 1,\n \"a\": 2}", `line 2, column 2: key "a" appears twice`},
		{"key without quotes", `{a: 1}`, "line 1, column 2: invalid character 'a'"},
		{"invalid UTF-8", "{\"\xff\": 1}", "line 1, column 3: invalid UTF-8"},
		{"columns are characters", "[\"é\", x]", "line 1, column 7: invalid character 'x'"},
		{"nesting", strings.Repeat("[", MaxDepth+1), "line 1, column 513: nested deeper than 512 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// FuzzParse holds the reader against encoding/json: what it accepts is valid
// JSON, and it accepts all valid JSON but for its stated refusals.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,2,{"a":null}]`, `"x"`, `{"a":1,"a":2}`, `-0.0e1`, "[", `{"a"`, `{"a",1}`, `[1:2]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := Parse(text)
		if err == nil && !json.Valid(text) {
			t.Fatalf("accepted invalid JSON %q", text)
		}
		if err != nil && json.Valid(text) {
			for _, refusal := range []string{"appears twice", "nested deeper", "invalid UTF-8"} {
				if strings.Contains(err.Error(), refusal) {
					return
				}
			}
			t.Fatalf("refused valid JSON %q: %v", text, err)
		}
	})
}
