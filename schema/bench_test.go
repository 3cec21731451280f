package schema_test

import (
	"encoding/json"
	"testing"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

func BenchmarkAppend(b *testing.B) {
	serde, v := purchases(b, schematest.New(b)), aPurchase()
	ctx := b.Context()
	buf, err := serde.Append(ctx, nil, "purchases", v)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = serde.Append(ctx, buf[:0], "purchases", v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeInto(b *testing.B) {
	serde := purchases(b, schematest.New(b))
	ctx := b.Context()
	data, err := serde.Encode(ctx, "purchases", aPurchase())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var v purchase
		if err := serde.DecodeInto(ctx, "purchases", data, &v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvolvingDecode is to be read beside BenchmarkSameSchemaDecode.
func BenchmarkEvolvingDecode(b *testing.B) { benchmarkOrder(b, true) }

func BenchmarkSameSchemaDecode(b *testing.B) { benchmarkOrder(b, false) }

func benchmarkOrder(b *testing.B, evolving bool) {
	client := schematest.New(b).Client()
	newer, err := schema.Avro[orderV2](client, schema.AutoRegister(true), schema.Named("", "Order"))
	if err != nil {
		b.Fatal(err)
	}
	older, err := schema.Avro[orderV1](client, schema.AutoRegister(true), schema.Named("", "Order"))
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	data, err := newer.Encode(ctx, "new", orderV2{ID: 7, Memo: "memo", Price: 3, State: "OPEN"})
	if evolving {
		data, err = older.Encode(ctx, "old", orderV1{ID: 7, Note: "memo", Gone: "gone", Price: 3})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var v orderV2
		if err := newer.DecodeInto(ctx, "orders", data, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenericDecode(b *testing.B) {
	registry := schematest.New(b)
	data, err := purchases(b, registry).Encode(b.Context(), "purchases", aPurchase())
	if err != nil {
		b.Fatal(err)
	}
	serde := generic(b, registry.Client())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := serde.Decode(b.Context(), "purchases", data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJSON is encoding/json on the same value, for scale.
func BenchmarkJSON(b *testing.B) {
	v := aPurchase()
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
	data, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v purchase
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWarmLookup(b *testing.B) {
	registry := schematest.New(b)
	id, client, ctx := registry.Register("a", `"string"`), registry.Client(), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.ByID(ctx, id); err != nil {
			b.Fatal(err)
		}
	}
}
