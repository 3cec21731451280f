package avrotext

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/avro"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

// TestCanonical runs testdata/canonical: a schema as written, and beneath it
// the text that Java's Schema.toString gives.
func TestCanonical(t *testing.T) {
	datadriven.RunTest(t, "testdata/canonical", func(t *testing.T, d *datadriven.TestData) string {
		opts := Options{Normalize: d.HasArg("normalize")}
		for _, arg := range d.CmdArgs {
			if arg.Key == "known" {
				opts.Known = arg.Vals
			}
		}
		got, err := Of(d.Input, opts)
		if err != nil {
			return err.Error()
		}
		again, err := Of(got.Text, opts)
		if err != nil || again.Text != got.Text {
			t.Errorf("%s: not a fixed point: %s, %v", d.Pos, again.Text, err)
		}
		if len(got.Names) > 0 && d.HasArg("names") {
			return fmt.Sprintf("%s\n%s", got.Text, strings.Join(got.Names, " "))
		}
		return got.Text
	})
}

// TestCanonicalKeepsTheMeaning: the canonical text has the fingerprint of the
// text it came from.
func TestCanonicalKeepsTheMeaning(t *testing.T) {
	for _, text := range []string{
		`{"type":"record","name":"a.b.R","fields":[{"name":"next","type":["null","R"]},{"name":"o","type":{"type":"fixed","name":"c.F","size":3}},{"name":"o2","type":"c.F"}]}`,
		`{"name":"E","type":"enum","symbols":["A","B"],"default":"A","namespace":"x"}`,
		`{"type":"map","values":{"type":"array","items":{"type":"int","logicalType":"date"}}}`,
	} {
		canonical, err := Of(text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		before, after := avro.MustParse(text).Canonical(), avro.MustParse(canonical.Text).Canonical()
		if string(before) != string(after) {
			t.Errorf("%s\nbecame %s", before, after)
		}
	}
}

func TestJavaDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", 1.5: "1.5", -2.25: "-2.25", 100: "100.0", 0.001: "0.001",
		9999999: "9999999.0", 1e7: "1.0E7", 1.25e10: "1.25E10", 1e-4: "1.0E-4", 3.14e-9: "3.14E-9",
	} {
		if got := javaDouble(f); got != want {
			t.Errorf("javaDouble(%v) = %s, want %s", f, got, want)
		}
	}
}

// TestSum: values computed with md5sum, as the MD5 field of a record holds it.
func TestSum(t *testing.T) {
	// printf '"string"' | md5sum
	if got, want := GUID(Sum(`"string"`, nil)), "095d71cf-1255-6b9d-5e33-0ad575b3df5d"; got != want {
		t.Errorf("GUID %s, want %s", got, want)
	}
	// printf '"string"ns\x00\x00\x00\x02' | md5sum
	if got, want := GUID(Sum(`"string"`, []Reference{{Name: "n", Subject: "s", Version: 2}})), "b38a6dd8-de96-86f1-e056-ac5efc3bf38f"; got != want {
		t.Errorf("GUID with a reference %s, want %s", got, want)
	}
}

func FuzzOf(f *testing.F) {
	for _, seed := range []string{
		`"int"`, `["null","string"]`, `{"type":"record","name":"R","fields":[{"name":"a","type":"R","default":1e9}]}`,
		`{"type":"enum","name":"x.E","symbols":["A"],"aliases":["y.F","x.G"]}`, `{"type":"fixed","name":"F","size":1.5}`,
	} {
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, normalize bool) {
		got, err := Of(text, Options{Normalize: normalize})
		var placed *strictjson.Error
		if err != nil {
			if !errors.As(err, &placed) || placed.Line < 1 || placed.Column < 1 {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		again, err := Of(got.Text, Options{Normalize: normalize})
		if err != nil || again.Text != got.Text {
			t.Fatalf("%q became %q, then %q, %v", text, got.Text, again.Text, err)
		}
	})
}
