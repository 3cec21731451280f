package schema_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"
	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

const event = `{"type":"record","name":"Event","namespace":"com.x","fields":[
	{"name":"id","type":"long"},
	{"name":"note","type":["null","string"],"default":null},
	{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"]}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
	{"name":"raw","type":"bytes"},
	{"name":"parent","type":["null","Event"],"default":null}]}`

func generic(t testing.TB, client *schema.Client, opts ...schema.Option) *schema.GenericSerde {
	t.Helper()
	serde, err := schema.Generic(client, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return serde
}

// TestGenericShapes: values have goavro's shapes, both ways.
func TestGenericShapes(t *testing.T) {
	registry := schematest.New(t)
	serde := generic(t, registry.Client(), schema.FromText(event), schema.AutoRegister(true))
	inner := map[string]any{"id": int64(1), "note": nil, "kind": "A", "at": time.UnixMilli(1).UTC(),
		"price": big.NewRat(5, 2), "raw": []byte{}, "parent": nil}
	want := map[string]any{"id": int64(2), "note": map[string]any{"string": "n"}, "kind": "B", "at": time.UnixMilli(1700000000123).UTC(),
		"price": big.NewRat(1999, 100), "raw": []byte{0xff, 0}, "parent": map[string]any{"com.x.Event": inner}}
	b, err := serde.Encode(t.Context(), "events", want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := serde.Decode(t.Context(), "events", b)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("decoded %v, %v\nwant    %v", got, err, want)
	}
	// Without a schema of its own it writes with the latest.
	latest := generic(t, registry.Client())
	again, err := latest.Encode(t.Context(), "events", got)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoded % x, %v; want % x", again, err, b)
	}
}

// TestGenericJSON: Avro JSON text to Avro and back, in the order of the
// schema.
func TestGenericJSON(t *testing.T) {
	registry := schematest.New(t)
	registry.Register("events-value", `{"type":"record","name":"E","fields":[
		{"name":"z","type":"long"},{"name":"a","type":["null","string"]},{"name":"m","type":{"type":"map","values":"double"}},{"name":"b","type":"bytes"}]}`)
	serde := generic(t, registry.Client())
	want := `{"z":9007199254740993,"a":{"string":"é"},"m":{"x":1.5},"b":"\u00ff"}`
	b, err := serde.EncodeJSON(t.Context(), "events", []byte(want))
	if err != nil {
		t.Fatal(err)
	}
	text, err := serde.DecodeJSON(t.Context(), "events", b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := serde.EncodeJSON(t.Context(), "events", text)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%s\nbecame %s, %v", want, text, err)
	}
	if !strings.HasPrefix(string(text), `{"z":9007199254740993,"a":{"string":"é"},"m":`) {
		t.Errorf("text %s", text)
	}
	for _, bad := range []string{``, `{`, `{"z":1}`, `{"z":"x","a":null,"m":{},"b":""}`, want + `x`} {
		if _, err := serde.EncodeJSON(t.Context(), "events", []byte(bad)); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q gives %v", bad, err)
		}
	}
}

// TestGenericWithReferences: goavro knows no references; it gets them
// expanded.
func TestGenericWithReferences(t *testing.T) {
	registry := schematest.New(t)
	client := registry.Client()
	registry.Register("city", `{"type":"record","name":"g.City","fields":[{"name":"name","type":"string"}]}`)
	_, err := client.Register(t.Context(), "people-value", schema.Definition{
		Text:       `{"type":"record","name":"g.Person","fields":[{"name":"from","type":"City"},{"name":"to","type":["null","City"]}]}`,
		References: []schema.Reference{{Name: "g.City", Subject: "city", Version: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	serde := generic(t, client)
	want := map[string]any{"from": map[string]any{"name": "Ulm"}, "to": map[string]any{"g.City": map[string]any{"name": "Bonn"}}}
	b, err := serde.Encode(t.Context(), "people", want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := serde.Decode(t.Context(), "people", b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %v, %v", got, err)
	}
}

func TestGenericCodec(t *testing.T) {
	registry := schematest.New(t)
	registry.Register("counts-value", `"long"`)
	codec := generic(t, registry.Client()).Codec("counts")
	b, err := codec.Encode(int64(7))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := codec.Decode(b); err != nil || got != int64(7) {
		t.Errorf("decoded %v, %v", got, err)
	}
}

// TestDifferential: for random schemas and values goavro and twmb/avro write
// the same bytes and read the same natives.
func TestDifferential(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := 0
		text, value := drawTyped(t, &names, 0)
		theirs, err := goavro.NewCodec(text)
		if err != nil {
			t.Fatalf("goavro: %s: %v", text, err)
		}
		ours, err := avro.Parse(text)
		if err != nil {
			t.Fatalf("twmb/avro: %s: %v", text, err)
		}
		b, err := theirs.BinaryFromNative(nil, value)
		if err != nil {
			t.Fatalf("goavro: %s: %v", text, err)
		}
		if got, err := ours.Encode(value); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%s: %v\ntwmb/avro % x, %v\ngoavro    % x", text, value, got, err, b)
		}
		var typed any
		if rest, err := ours.Decode(b, &typed, avro.TaggedUnions()); err != nil || len(rest) > 0 {
			t.Fatalf("twmb/avro: %s: %d bytes left, %v", text, len(rest), err)
		}
		native, _, err := theirs.NativeFromBinary(b)
		if err != nil || !reflect.DeepEqual(native, typed) {
			t.Fatalf("%s:\ngoavro    %#v, %v\ntwmb/avro %#v", text, native, err, typed)
		}
	})
}

// drawTyped draws a schema and a value of it. Maps have one entry, as both
// libraries write them in Go's order.
func drawTyped(t *rapid.T, names *int, depth int) (string, any) {
	kinds := 13
	if depth > 3 {
		kinds = 8
	}
	*names++
	name := fmt.Sprintf("N%d", *names)
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return `"boolean"`, rapid.Bool().Draw(t, "v")
	case 1:
		return `"int"`, rapid.Int32().Draw(t, "v")
	case 2:
		return `"long"`, rapid.Int64().Draw(t, "v")
	case 3:
		return `"float"`, rapid.Float32().Draw(t, "v")
	case 4:
		return `"double"`, rapid.Float64().Draw(t, "v")
	case 5:
		return `"bytes"`, rapid.SliceOf(rapid.Byte()).Draw(t, "v")
	case 6:
		return `"string"`, rapid.String().Draw(t, "v")
	case 7:
		return `{"type":"enum","name":"` + name + `","symbols":["A","B","C"]}`, rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "v")
	case 8:
		return `{"type":"fixed","name":"` + name + `","size":3}`, rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "v")
	case 9:
		item, v := drawTyped(t, names, depth+1)
		return `{"type":"array","items":` + item + `}`, []any{v, v}[:rapid.IntRange(0, 2).Draw(t, "items")]
	case 10:
		item, v := drawTyped(t, names, depth+1)
		return `{"type":"map","values":` + item + `}`, map[string]any{rapid.String().Draw(t, "key"): v}
	case 11:
		if rapid.Bool().Draw(t, "null") {
			return `["null","string"]`, nil
		}
		return `["null","string"]`, map[string]any{"string": rapid.String().Draw(t, "v")}
	default:
		var fields []string
		value := make(map[string]any)
		for i := range rapid.IntRange(0, 3).Draw(t, "fields") {
			item, v := drawTyped(t, names, depth+1)
			field := fmt.Sprintf("f%d", i)
			fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%s}`, field, item))
			value[field] = v
		}
		return `{"type":"record","name":"` + name + `","fields":[` + strings.Join(fields, ",") + `]}`, value
	}
}

// FuzzDecode: no bytes make a serde panic, and every refusal is an Error.
func FuzzDecode(f *testing.F) {
	registry := schematest.New(f)
	serde := purchases(f, registry)
	b, err := serde.Encode(f.Context(), "purchases", aPurchase())
	if err != nil {
		f.Fatal(err)
	}
	maps := generic(f, registry.Client())
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte{0, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= schema.HeaderSize {
			data = append(schema.AppendHeader(nil, 1), data[schema.HeaderSize:]...) // a known id
		}
		_, typedErr := serde.Decode(t.Context(), "purchases", data)
		_, genericErr := maps.Decode(t.Context(), "purchases", data)
		for _, err := range []error{typedErr, genericErr} {
			if err != nil && !errors.Is(err, schema.ErrPoison) {
				t.Fatalf("%x: %v", data, err)
			}
		}
	})
}
