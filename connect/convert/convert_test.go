package convert_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/convert"
	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func converter(t *testing.T, name string, options map[string]string, client *schema.Client) convert.Converter {
	t.Helper()
	c, err := convert.New(connect.ConverterConfig{Name: name, Options: options}, false, client)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// CB10: null is null through every converter, and an empty value is not.
func TestCB10Null(t *testing.T) {
	registry := schematest.New(t)
	for _, name := range connect.ConverterNames() {
		c := converter(t, name, nil, registry.Client())
		b, err := c.Encode(context.Background(), "t", connect.Data{})
		if err != nil || b != nil {
			t.Errorf("%s: null became %v, %v", name, b, err)
		}
		d, err := c.Decode(context.Background(), "t", nil)
		if err != nil || !d.IsNull() {
			t.Errorf("%s: null became %v, %v", name, d, err)
		}
	}
	for _, name := range []string{"string", "bytes"} {
		d, err := converter(t, name, nil, nil).Decode(context.Background(), "t", []byte{})
		if err != nil || d.IsNull() {
			t.Errorf("%s: the empty value became %+v, %v", name, d, err)
		}
	}
}

// CB13 among others: what goes in comes out, and what does not fit is refused.
func TestRoundTrips(t *testing.T) {
	registry := schematest.New(t)
	avro := map[string]string{"auto.register.schemas": "true"}
	for _, tc := range []struct {
		name    string
		options map[string]string
		in      any
		out     any // in when nil
		refused bool
	}{
		{name: "string", in: "naïve"},
		{name: "string", in: "\xff"},
		{name: "string", in: int64(-5), out: "-5"},
		{name: "bytes", in: []byte{0, 255}},
		{name: "bytes", in: int64(1), refused: true},
		{name: "json", in: map[string]any{"big": int64(9007199254740993), "x": 0.5, "l": []any{nil, true, "<&>"}}},
		{name: "json", in: math.Inf(1), refused: true},
		{name: "int64", in: int64(math.MinInt64)},
		{name: "int64", in: "42", out: int64(42)},
		{name: "int32", in: int64(math.MaxInt32)},
		{name: "int32", in: int64(math.MaxInt32 + 1), refused: true},
		{name: "int16", in: int64(-32768)},
		{name: "int64", in: "x", refused: true},
		{name: "float64", in: math.Inf(-1)},
		{name: "float32", in: 0.5},
		{name: "bool", in: true},
		{name: "avro", options: avro, in: "line"},
		{name: "avro", in: struct{}{}, refused: true},
	} {
		c := converter(t, tc.name, tc.options, registry.Client())
		b, err := c.Encode(context.Background(), "t-"+tc.name, connect.Data{Any: tc.in})
		if tc.refused {
			if !errors.Is(err, convert.ErrData) {
				t.Errorf("%s %v: got %v, %v", tc.name, tc.in, b, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %v: %v", tc.name, tc.in, err)
			continue
		}
		want := tc.out
		if want == nil {
			want = tc.in
		}
		if d, err := c.Decode(context.Background(), "t-"+tc.name, b); err != nil || !cmp.Equal(d.Any, want) {
			t.Errorf("%s %v: came back as %v, %v", tc.name, tc.in, d.Any, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, bad := range map[string][]string{
		"json": {"", "{", "{} {}", strings.Repeat("[", 100000)}, "int64": {"", "1234567", "123456789"}, "bool": {"", "xx"},
	} {
		for _, b := range bad {
			if d, err := converter(t, name, nil, nil).Decode(context.Background(), "t", []byte(b)); !errors.Is(err, convert.ErrData) {
				t.Errorf("%s %.20q: %v, %v", name, b, d, err)
			}
		}
	}
}

const order = `{"type":"record","name":"Order","namespace":"shop","fields":[
	{"name":"id","type":"long"},
	{"name":"note","type":["null","string"],"default":null},
	{"name":"parent","type":["null","Order"],"default":null},
	{"name":"lines","type":{"type":"array","items":["int","string"]}},
	{"name":"tags","type":{"type":"map","values":["null","string"]}}]}`

// A record of a topic is plain on this side, without goavro's branches, and
// written again it is the same bytes.
func TestAvroRecords(t *testing.T) {
	ctx, registry := context.Background(), schematest.New(t)
	registry.Register("orders-value", order)
	serde, err := schema.Generic(registry.Client())
	if err != nil {
		t.Fatal(err)
	}
	child := map[string]any{"id": int64(2), "note": nil, "parent": nil, "lines": []any{}, "tags": map[string]any{}}
	b, err := serde.Encode(ctx, "orders", map[string]any{
		"id": int64(1), "note": map[string]any{"string": "hi"}, "parent": map[string]any{"shop.Order": child},
		"lines": []any{map[string]any{"int": int32(7)}, map[string]any{"string": "x"}},
		"tags":  map[string]any{"a": map[string]any{"string": "b"}, "c": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := converter(t, "avro", nil, registry.Client())
	d, err := c.Decode(ctx, "orders", b)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"id": int64(1), "note": "hi", "parent": child,
		"lines": []any{int32(7), "x"}, "tags": map[string]any{"a": "b", "c": nil},
	}
	if diff := cmp.Diff(want, d.Any); diff != "" {
		t.Fatal(diff)
	}
	if d.Schema.Type != "struct" || d.Schema.Name != "shop.Order" {
		t.Errorf("schema %+v", d.Schema)
	}
	again, err := c.Encode(ctx, "orders", d)
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Decode(ctx, "orders", again)
	if err != nil || !cmp.Equal(back.Any, d.Any) {
		t.Errorf("written again: %v, %v", back.Any, err)
	}
}

// CB11: what is no Avro and an unknown id are bad data, a registry that does
// not answer is not.
func TestCB11Avro(t *testing.T) {
	ctx, registry := context.Background(), schematest.New(t)
	c := converter(t, "avro", nil, registry.Client())
	for _, b := range []string{"", "plain text", "\x00\x00\x00", "\x00\x00\x00\x4e\x20\x02"} {
		if _, err := c.Decode(ctx, "t", []byte(b)); err == nil || errors.Is(err, schema.ErrUnavailable) {
			t.Errorf("%q: %v", b, err)
		}
	}
	away, err := schema.NewClient("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	if _, err := converter(t, "avro", nil, away).Decode(ctx, "t", []byte("\x00\x00\x00\x00\x01\x02")); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("registry away: %v", err)
	}
}

// CB2: the known converters are listed; options are checked as well.
func TestCB2Unknown(t *testing.T) {
	for _, tc := range []struct {
		config connect.ConverterConfig
		want   string
	}{
		{connect.ConverterConfig{Name: "strin"}, "did you mean string?"},
		{connect.ConverterConfig{Name: "org.x.Y"}, "known are avro, bool"},
		{connect.ConverterConfig{Name: "string", Options: map[string]string{"encodnig": "x"}}, "unknown option encodnig"},
		{connect.ConverterConfig{Name: "string", Options: map[string]string{"encoding": "latin1"}}, "only UTF-8"},
		{connect.ConverterConfig{Name: "org.apache.kafka.connect.json.JsonConverter"}, "schemas.enable"},
		{connect.ConverterConfig{Name: "avro"}, "needs a schema registry"},
	} {
		if _, err := convert.New(tc.config, false, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v", tc.config, err)
		}
	}
	for _, class := range []string{"org.apache.kafka.connect.storage.StringConverter", "org.apache.kafka.connect.converters.LongConverter"} {
		if _, err := convert.New(connect.ConverterConfig{Name: class}, true, nil); err != nil {
			t.Error(err)
		}
	}
}
