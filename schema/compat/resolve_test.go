package compat

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro"
	"pgregory.net/rapid"
)

func record(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }

func rec(name, extra string) string {
	return `{"type":"record","name":"` + name + `","fields":[]` + extra + `}`
}

func enum(symbols, extra string) string {
	return `{"type":"enum","name":"E","symbols":[` + symbols + `]` + extra + `}`
}

// TestResolve goes through the schema resolution rules of the Avro
// specification, each in both directions.
func TestResolve(t *testing.T) {
	primitives := []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
	promotions := map[string][]string{
		"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"},
		"string": {"bytes"}, "bytes": {"string"},
	}
	for _, w := range primitives {
		for _, r := range primitives {
			want := "TYPE_MISMATCH /"
			if w == r || slices.Contains(promotions[w], r) {
				want = ""
			}
			check(t, "primitive", `"`+r+`"`, `"`+w+`"`, want)
		}
	}
	decimal := func(p, s int) string {
		return fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`, p, s)
	}
	for _, c := range []struct{ name, reader, writer, want string }{
		{"array", `{"type":"array","items":"long"}`, `{"type":"array","items":"int"}`, ""},
		{"array back", `{"type":"array","items":"int"}`, `{"type":"array","items":"long"}`, "TYPE_MISMATCH /items"},
		{"map", `{"type":"map","values":"int"}`, `{"type":"map","values":"string"}`, "TYPE_MISMATCH /values"},
		{"array and map", `{"type":"map","values":"int"}`, `{"type":"array","items":"int"}`, "TYPE_MISMATCH /"},
		{"record of another name", rec("A", ""), rec("B", ""), "NAME_MISMATCH /name"},
		{"record in another namespace", rec("x.A", ""), rec("y.A", ""), ""},
		{"record by alias", rec("A", `,"aliases":["B"]`), rec("B", ""), ""},
		{"record by alias of the writer", rec("A", ""), rec("B", `,"aliases":["A"]`), "NAME_MISMATCH /name"},
		{"alias in the own namespace", rec("x.A", `,"aliases":["B"]`), rec("x.B", ""), ""},
		{"alias in another namespace", rec("x.A", `,"aliases":["y.B"]`), rec("z.B", ""), "NAME_MISMATCH /name"},
		{"field added with default", record(`{"name":"a","type":"int","default":1}`), record(``), ""},
		{"field added without default", record(`{"name":"a","type":"int"}`), record(``), "READER_FIELD_MISSING_DEFAULT_VALUE /fields/0"},
		{"field removed", record(``), record(`{"name":"a","type":"int"}`), ""},
		{"field renamed by alias", record(`{"name":"b","type":"int","aliases":["a"]}`), record(`{"name":"a","type":"int"}`), ""},
		{"fields reordered", record(`{"name":"b","type":"int"},{"name":"a","type":"string"}`), record(`{"name":"a","type":"string"},{"name":"b","type":"int"}`), ""},
		{"field promoted", record(`{"name":"a","type":"double"}`), record(`{"name":"a","type":"long"}`), ""},
		{"field narrowed", record(`{"name":"a","type":"int"}`), record(`{"name":"a","type":"long"}`), "TYPE_MISMATCH /fields/0/type"},
		{"every difference", record(`{"name":"a","type":"int"},{"name":"b","type":"int"},{"name":"c","type":"string"}`), record(`{"name":"c","type":"int"}`),
			"READER_FIELD_MISSING_DEFAULT_VALUE /fields/0; READER_FIELD_MISSING_DEFAULT_VALUE /fields/1; TYPE_MISMATCH /fields/2/type"},
		{"enum symbol added", enum(`"A","B"`, ""), enum(`"A"`, ""), ""},
		{"enum symbol removed", enum(`"A"`, ""), enum(`"A","B","C"`, ""), "MISSING_ENUM_SYMBOLS /symbols"},
		{"enum symbol removed with default", enum(`"A"`, `,"default":"A"`), enum(`"A","B"`, ""), ""},
		{"enum reordered", enum(`"B","A"`, ""), enum(`"A","B"`, ""), ""},
		{"fixed size", `{"type":"fixed","name":"F","size":4}`, `{"type":"fixed","name":"F","size":8}`, "FIXED_SIZE_MISMATCH /size"},
		{"fixed name", `{"type":"fixed","name":"F","size":4}`, `{"type":"fixed","name":"G","size":4}`, "NAME_MISMATCH /name"},
		{"into a union", `["null","string"]`, `"string"`, ""},
		{"into a union by promotion", `["null","double"]`, `"int"`, ""},
		{"into a union without it", `["null","int"]`, `"string"`, "MISSING_UNION_BRANCH /"},
		{"out of a union", `"string"`, `["null","string"]`, "TYPE_MISMATCH /"},
		{"out of a union that fits", `"double"`, `["int","long"]`, ""},
		{"union widened", `["null","int","string"]`, `["null","int"]`, ""},
		{"union reordered", `["int","null"]`, `["null","int"]`, ""},
		{"union narrowed", `["null","int"]`, `["null","int","string"]`, "MISSING_UNION_BRANCH /2"},
		{"inside a union's record", `["null",` + record(`{"name":"a","type":"int"}`) + `]`, `["null",` + record(``) + `]`, "READER_FIELD_MISSING_DEFAULT_VALUE /1/fields/0"},
		{"recursive type", record(`{"name":"n","type":["null","R"]},{"name":"x","type":"int"}`), record(`{"name":"n","type":["null","R"]}`), "READER_FIELD_MISSING_DEFAULT_VALUE /fields/1"},
		{"type used twice, reported once",
			`{"type":"record","name":"P","fields":[{"name":"a","type":` + record(`{"name":"x","type":"int"}`) + `},{"name":"b","type":"R"}]}`,
			`{"type":"record","name":"P","fields":[{"name":"a","type":` + record(``) + `},{"name":"b","type":"R"}]}`,
			"READER_FIELD_MISSING_DEFAULT_VALUE /fields/0/type/fields/0"},
		{"decimal scale", decimal(9, 2), decimal(9, 3), "TYPE_MISMATCH /"},
		{"decimal equal", decimal(9, 2), decimal(9, 2), ""},
		{"doc and order", `{"type":"record","name":"R","doc":"x","fields":[{"name":"a","type":"int","order":"ignore"}]}`, record(`{"name":"a","type":"int"}`), ""},
	} {
		check(t, c.name, c.reader, c.writer, c.want)
	}
}

// check resolves one pair, and asks twmb/avro's own checker for its opinion.
func check(t *testing.T, name, reader, writer, want string) {
	t.Helper()
	r, w := mustParse(t, reader), mustParse(t, writer)
	var kinds []string
	for _, d := range Resolve(r, w) {
		kinds = append(kinds, fmt.Sprintf("%s %s", d.Kind, d.Path))
		if d.Remedy == "" || d.Description() == string(d.Kind) {
			t.Errorf("%s: %v lacks remedy or description", name, d)
		}
	}
	if got := strings.Join(kinds, "; "); got != want {
		t.Errorf("%s: reader %s, writer %s:\n got %s\nwant %s", name, reader, writer, got, want)
	}
	theirs := avro.CheckCompatibility(avro.MustParse(writer), avro.MustParse(reader))
	if (theirs == nil) != (want == "") {
		t.Errorf("%s: twmb/avro says %v", name, theirs)
	}
}

func mustParse(t testing.TB, text string, references ...string) *Schema {
	t.Helper()
	s, err := ParseAvro(text, references...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// TestNullableFieldWithoutDefault: null is not a default unless it is written,
// as Java has it. Only twmb/avro fills it in by itself.
func TestNullableFieldWithoutDefault(t *testing.T) {
	found := Resolve(mustParse(t, record(`{"name":"a","type":["null","int"]}`)), mustParse(t, record(``)))
	if len(found) != 1 || found[0].Kind != MissingDefault {
		t.Errorf("found %v", found)
	}
}

// TestResolveAgreesWithTwmb lets both checkers judge random pairs.
func TestResolveAgreesWithTwmb(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reader, writer := drawSchema(t, "reader"), drawSchema(t, "writer")
		r, err := ParseAvro(reader)
		if err != nil {
			t.Fatalf("%s: %v", reader, err)
		}
		w, err := ParseAvro(writer)
		if err != nil {
			t.Fatalf("%s: %v", writer, err)
		}
		ours := Resolve(r, w)
		theirs := avro.CheckCompatibility(avro.MustParse(writer), avro.MustParse(reader))
		if (len(ours) == 0) != (theirs == nil) {
			t.Fatalf("reader %s\nwriter %s\nours   %v\ntheirs %v", reader, writer, ours, theirs)
		}
	})
}

// drawSchema draws from few names and types, so that pairs often match.
func drawSchema(t *rapid.T, label string) string {
	var draw func(depth int) string
	names := 0
	primitive := rapid.SampledFrom([]string{`"int"`, `"long"`, `"double"`, `"string"`, `"bytes"`, `"boolean"`})
	draw = func(depth int) string {
		kinds := 4
		if depth > 2 {
			kinds = 1
		}
		switch rapid.IntRange(0, kinds).Draw(t, label+" kind") {
		case 2:
			return `{"type":"array","items":` + draw(depth+1) + `}`
		case 3:
			return `["null",` + primitive.Draw(t, label) + `]`
		case 4:
			names++
			name := names
			var fields []string
			for i := range rapid.IntRange(0, 3).Draw(t, label+" fields") {
				kind, extra := draw(depth+1), ""
				if strings.HasPrefix(kind, `["null"`) {
					extra = `,"default":null` // twmb/avro takes it as given
				}
				fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":%s%s}`, i, kind, extra))
			}
			return fmt.Sprintf(`{"type":"record","name":"R%d","fields":[%s]}`, name, strings.Join(fields, ","))
		default:
			return primitive.Draw(t, label)
		}
	}
	return draw(0)
}

func TestCheckLevels(t *testing.T) {
	base := mustParse(t, record(`{"name":"a","type":"int"}`))
	added := mustParse(t, record(`{"name":"a","type":"int"},{"name":"b","type":"int"}`)) // old cannot be read
	wider := mustParse(t, record(`{"name":"a","type":"long"}`))                          // new cannot be read
	defaulted := mustParse(t, record(`{"name":"a","type":"int"},{"name":"b","type":"int","default":0}`))
	for _, c := range []struct {
		level    Level
		next     *Schema
		previous []*Schema
		want     int
	}{
		{Backward, added, []*Schema{base}, 1},
		{Forward, added, []*Schema{base}, 0},
		{Backward, wider, []*Schema{base}, 0},
		{Forward, wider, []*Schema{base}, 1},
		{Full, defaulted, []*Schema{base}, 0},
		{Full, added, []*Schema{base}, 1},
		{None, added, []*Schema{base}, 0},
		{Backward, base, nil, 0},
		{Backward, added, []*Schema{base, added}, 0},
		{BackwardTransitive, added, []*Schema{base, added}, 1},
		{ForwardTransitive, wider, []*Schema{base, wider}, 1},
		{FullTransitive, base, []*Schema{added, defaulted, wider}, 2},
	} {
		got := Check(c.level, c.next, c.previous...)
		if len(got) != c.want {
			t.Errorf("%s: %d differences, want %d: %v", c.level, len(got), c.want, got)
		}
	}
}

// TestDifferenceExplains: what a person reads names place, both sides and a
// remedy.
func TestDifferenceExplains(t *testing.T) {
	next := mustParse(t, record(`{"name":"id","type":"string"}`))
	old := mustParse(t, record(`{"name":"id","type":"int"}`))
	got := fmt.Sprint(Check(Backward, next, old)[0])
	want := `TYPE_MISMATCH: The type (path '/fields/0/type') of a field in the new schema does not match with the old schema (reader type: STRING not compatible with writer type: INT)
  old: "int"
  new: "string"
  try: keep the type "int", or add a field of another name with a default`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseAvroWithReferences(t *testing.T) {
	address := `{"type":"record","name":"com.x.Address","fields":[{"name":"city","type":"string"}]}`
	narrower := `{"type":"record","name":"com.x.Address","fields":[{"name":"city","type":"int"}]}`
	person := `{"type":"record","name":"com.x.Person","fields":[{"name":"home","type":"Address"}]}`
	found := Resolve(mustParse(t, person, narrower), mustParse(t, person, address))
	if len(found) != 1 || found[0].Path != "/fields/0/type/fields/0/type" {
		t.Errorf("found %v", found)
	}
	if _, err := ParseAvro(person); err == nil || !strings.Contains(err.Error(), "references") {
		t.Errorf("without the reference: %v", err)
	}
}

func BenchmarkResolve200Fields(b *testing.B) {
	var fields []string
	for i := range 200 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":["null","string"],"default":null}`, i))
	}
	text := record(strings.Join(fields, ","))
	s, twmb := mustParse(b, text), avro.MustParse(text)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			Resolve(s, s)
		}
	})
	b.Run("twmb", func(b *testing.B) {
		for b.Loop() {
			if err := avro.CheckCompatibility(twmb, twmb); err != nil {
				b.Fatal(err)
			}
		}
	})
}
