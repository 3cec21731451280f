package avroscan

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"
)

func plan(t testing.TB, schema string) *Plan {
	t.Helper()
	p, err := Compile(avro.MustParse(schema).Canonical())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const list = `{"type":"record","name":"a.List","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","List"]}]}`

func TestScan(t *testing.T) {
	deep := strings.Repeat("0002", MaxDepth) + "0000"
	for _, c := range []struct{ name, schema, data, want string }{
		{"null", `"null"`, "", ""},
		{"boolean", `"boolean"`, "01", ""},
		{"boolean of 2", `"boolean"`, "02", "byte 0: boolean is 0x02, need 0 or 1"},
		{"int", `"int"`, "feffffff0f", ""},
		{"int of 33 bits", `"int"`, "8080808010", "byte 0: number 2147483648 is longer than 32 bits"},
		{"long", `"long"`, "ffffffffffffffffff01", ""},
		{"long of 11 bytes", `"long"`, "ffffffffffffffffffff01", "byte 0: number is longer than 64 bits"},
		{"long cut off", `"long"`, "80", "byte 0: ends in the middle of a number"},
		{"float", `"float"`, "000000", "byte 0: float needs 4 bytes, 3 are left"},
		{"double", `"double"`, "0000000000000000", ""},
		{"bytes", `"bytes"`, "04ffff", ""},
		{"bytes too long", `"bytes"`, "06ffff", "byte 0: bytes of 3 bytes, 2 are left"},
		{"bytes of negative length", `"bytes"`, "01", "byte 0: bytes of -1 bytes, 0 are left"},
		{"string", `"string"`, "04c3a9", ""},
		{"string of invalid UTF-8", `"string"`, "02ff", "byte 0: string is not valid UTF-8"},
		{"enum", `{"type":"enum","name":"E","symbols":["A","B"]}`, "04", "byte 0: enum index is 2, the schema has 2"},
		{"fixed", `{"type":"fixed","name":"F","size":2}`, "ff", "byte 0: fixed needs 2 bytes, 1 are left"},
		{"union", `["null","int"]`, "0204", ""},
		{"union index", `["null","int"]`, "0400", "byte 0: union index is 2, the schema has 2"},
		{"array", `{"type":"array","items":"int"}`, "04020400", ""},
		{"array in sized blocks", `{"type":"array","items":"int"}`, "0304020400", ""},
		{"array with a wrong block size", `{"type":"array","items":"int"}`, "0302020400", "byte 0: block ends at byte 4, its size says 3"},
		{"array of 2^27 ints in no bytes", `{"type":"array","items":"int"}`, "8080808001", "byte 0: block of 134217728 items of at least 1 bytes, 0 bytes are left"},
		{"array of 2^23 nulls", `{"type":"array","items":"null"}`, "8080800800", "byte 0: more than 4096 items without bytes"},
		{"many blocks of nulls", `{"type":"array","items":"null"}`, "803e" + "8004" + "00", "byte 2: more than 4096 items without bytes"},
		{"array of the least count", `{"type":"array","items":"int"}`, "ffffffffffffffffff0100", "byte 0: block count is -9223372036854775808"},
		{"map", `{"type":"map","values":"null"}`, "02026100", ""},
		{"map of 2^27", `{"type":"map","values":"int"}`, "80808080010000", "byte 0: block of 134217728 items of at least 2 bytes, 2 bytes are left"},
		{"record", list, "020204" + "00", ""},
		{"recursion", list, deep, "byte 1000: nested deeper than 1000 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := hex.DecodeString(c.data)
			if err != nil {
				t.Fatal(err)
			}
			n, err := plan(t, c.schema).Scan(data)
			switch {
			case c.want == "" && (err != nil || n != len(data)):
				t.Errorf("scanned %d of %d bytes, %v", n, len(data), err)
			case c.want != "" && (err == nil || err.Error() != c.want):
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// TestScanLeavesTrailingBytes: what follows the value is the caller's matter.
func TestScanLeavesTrailingBytes(t *testing.T) {
	n, err := plan(t, `"int"`).Scan([]byte{2, 9, 9})
	if n != 1 || err != nil {
		t.Errorf("scanned %d, %v; want 1", n, err)
	}
}

const order = `{"type":"record","name":"x.Order","fields":[
	{"name":"id","type":"long"},{"name":"tags","type":{"type":"map","values":["null","string","x.Order"]}},
	{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
		{"name":"sku","type":"string"},{"name":"n","type":"int"},{"name":"kind","type":{"type":"enum","name":"K","symbols":["A","B"]}}]}}},
	{"name":"hash","type":{"type":"fixed","name":"H","size":2}},{"name":"raw","type":"bytes"},{"name":"ok","type":"boolean"},
	{"name":"price","type":"double"},{"name":"nulls","type":{"type":"array","items":"null"}}]}`

// FuzzScan: what passes the scan decodes, and to the same length, by both
// engines.
func FuzzScan(f *testing.F) {
	codec, err := goavro.NewCodec(order)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := codec.BinaryFromNative(nil, map[string]any{
		"id": 7, "tags": map[string]any{"a": nil, "b": map[string]any{"string": "é"}},
		"lines": []any{map[string]any{"sku": "s", "n": 3, "kind": "B"}},
		"hash":  []byte{1, 2}, "raw": []byte{9}, "ok": true, "price": 1.5, "nulls": []any{nil, nil},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(binary.AppendVarint(nil, 1<<27))
	p, typed := plan(f, order), avro.MustParse(order)
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := p.Scan(data)
		if err != nil {
			return
		}
		// goavro alone refuses a map that holds a key twice, which costs nothing.
		if _, rest, err := codec.NativeFromBinary(data); err != nil && strings.Contains(err.Error(), "duplicate key") {
			return
		} else if err != nil || len(data)-len(rest) != n {
			t.Fatalf("%x: scanned %d, goavro left %d of %d, %v", data, n, len(rest), len(data), err)
		}
		var v any
		if rest, err := typed.Decode(data, &v); err != nil || len(data)-len(rest) != n {
			t.Fatalf("%x: scanned %d, twmb/avro left %d of %d, %v", data, n, len(rest), len(data), err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	codec, err := goavro.NewCodec(order)
	if err != nil {
		b.Fatal(err)
	}
	line := map[string]any{"sku": "sku-0123456789", "n": 3, "kind": "B"}
	data, err := codec.BinaryFromNative(nil, map[string]any{
		"id": 7, "tags": map[string]any{"a": nil, "b": map[string]any{"string": "value"}}, "lines": []any{line, line, line},
		"hash": []byte{1, 2}, "raw": make([]byte, 64), "ok": true, "price": 1.5, "nulls": []any{},
	})
	if err != nil {
		b.Fatal(err)
	}
	p := plan(b, order)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Scan(data); err != nil {
			b.Fatal(err)
		}
	}
}
