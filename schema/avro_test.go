package schema_test

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

type line struct {
	SKU   string  `avro:"sku"`
	Count int32   `avro:"count"`
	Price float64 `avro:"price"`
}

type customer struct {
	Name string  `avro:"name"`
	Mail *string `avro:"mail"`
}

// purchase is the record of the benchmarks: nested, an array, a map, a
// nullable, a time, bytes.
type purchase struct {
	ID       int64             `avro:"id"`
	Customer customer          `avro:"customer"`
	Lines    []line            `avro:"lines"`
	Tags     map[string]string `avro:"tags"`
	At       time.Time         `avro:"at,timestamp-millis"`
	Paid     bool              `avro:"paid"`
	Raw      []byte            `avro:"raw"`
}

func aPurchase() purchase {
	mail := "ada@example.com"
	return purchase{
		ID: 1234567, Customer: customer{"Ada", &mail},
		Lines: []line{{"lamp-100", 2, 19.5}, {"bulb-7", 10, 1.25}, {"cord", 1, 3}},
		Tags:  map[string]string{"channel": "web"}, At: time.UnixMilli(1700000000123).UTC(), Paid: true, Raw: []byte("0123456789abcdef"),
	}
}

func purchases(t testing.TB, registry *schematest.Registry) *schema.Serde[purchase] {
	t.Helper()
	serde, err := schema.Avro[purchase](registry.Client(), schema.AutoRegister(true), schema.Named("com.example", "Purchase"))
	if err != nil {
		t.Fatal(err)
	}
	return serde
}

func TestAvroRoundTrip(t *testing.T) {
	serde := purchases(t, schematest.New(t))
	want := aPurchase()
	b, err := serde.Encode(t.Context(), "purchases", want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := serde.Decode(t.Context(), "purchases", b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, %v\nwant    %+v", got, err, want)
	}
	var again purchase
	for range 2 { // the second time into what the first left
		if err := serde.DecodeInto(t.Context(), "purchases", b, &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("decoded into %+v, %v", again, err)
		}
	}
}

// TestAppendAllocatesNothing: the warm path of a producer.
func TestAppendAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop items under the race detector")
	}
	serde, v := purchases(t, schematest.New(t)), aPurchase()
	v.Tags = nil // twmb/avro iterates maps by reflection
	ctx := t.Context()
	buf, err := serde.Append(ctx, nil, "purchases", v)
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(1000, func() {
		if buf, err = serde.Append(ctx, buf[:0], "purchases", v); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("Append allocates %v times", allocs)
	}
}

func TestWarmLookupAllocatesNothing(t *testing.T) {
	registry := schematest.New(t)
	id, client := registry.Register("a", `"string"`), registry.Client()
	ctx := t.Context()
	look := func() {
		if _, err := client.ByID(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	look()
	if allocs := testing.AllocsPerRun(1000, look); allocs != 0 && !raceEnabled {
		t.Errorf("a warm look-up allocates %v times", allocs)
	}
}

type orderV1 struct {
	ID    int32  `avro:"id"`
	Note  string `avro:"note"`
	Gone  string `avro:"gone"`
	Price int32  `avro:"price"`
}

type orderV2 struct {
	ID    int64   `avro:"id"`
	Memo  string  `avro:"memo,alias=note"`
	Price float64 `avro:"price"`
	State string  `avro:"state,default=OPEN"`
}

// TestEvolution: old data is read with the new struct: promoted, renamed by
// alias, without what is gone, with defaults for what is new.
func TestEvolution(t *testing.T) {
	client := schematest.New(t).Client()
	older, err := schema.Avro[orderV1](client, schema.AutoRegister(true), schema.Named("", "Order"))
	if err != nil {
		t.Fatal(err)
	}
	newer, err := schema.Avro[orderV2](client, schema.AutoRegister(true), schema.Named("", "Order"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := older.Encode(t.Context(), "orders", orderV1{ID: 7, Note: "n", Gone: "g", Price: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newer.Encode(t.Context(), "orders", orderV2{}); err != nil {
		t.Fatalf("the registry refuses the next version: %v", err)
	}
	got, err := newer.Decode(t.Context(), "orders", old)
	if want := (orderV2{ID: 7, Memo: "n", Price: 3, State: "OPEN"}); err != nil || got != want {
		t.Errorf("decoded %+v, %v; want %+v", got, err, want)
	}
}

// TestNotRegistered: without AutoRegister writing asks for a schema that is
// there, and says what to do.
func TestNotRegistered(t *testing.T) {
	registry := schematest.New(t)
	serde, err := schema.Avro[line](registry.Client())
	if err != nil {
		t.Fatal(err)
	}
	for _, have := range []string{"", `"string"`} {
		if have != "" {
			registry.Register("lines-value", have)
		}
		_, err := serde.Encode(t.Context(), "lines", line{})
		if !errors.Is(err, schema.ErrNotFound) || !strings.Contains(err.Error(), "AutoRegister") || !strings.Contains(err.Error(), "lines-value") {
			t.Errorf("with %q registered: %v", have, err)
		}
	}
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		opts []schema.Option
		want string
	}{
		{nil, "t-value"},
		{[]schema.Option{schema.ForKey()}, "t-key"},
		{[]schema.Option{schema.Subject(schema.RecordName)}, "com.x.Line"},
		{[]schema.Option{schema.Subject(schema.TopicRecordName)}, "t-com.x.Line"},
	} {
		client := schematest.New(t).Client()
		serde, err := schema.Avro[line](client, append(c.opts, schema.AutoRegister(true), schema.Named("com.x", "Line"))...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := serde.Encode(t.Context(), "t", line{}); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Subjects(t.Context()); err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("subjects %v, %v; want %s", got, err, c.want)
		}
	}
}

// TestPoison: bytes that can never be decoded say so, with their place.
func TestPoison(t *testing.T) {
	registry := schematest.New(t)
	client := registry.Client()
	lines, err := schema.Avro[line](client)
	if err != nil {
		t.Fatal(err)
	}
	generic, err := schema.Generic(client)
	if err != nil {
		t.Fatal(err)
	}
	registry.Register("lines-value", lines.Schema())             // 1
	registry.Register("other", `"string"`)                       // 2
	registry.Register("many", `{"type":"array","items":"int"}`)  // 3
	registry.Register("nulls", `{"type":"map","values":"null"}`) // 4
	good := "0000000001" + "0261" + "04" + "0000000000000000"    // {"a", 2, 0}
	for _, c := range []struct {
		name, data string
		offset     int
		typed      bool // only where the serde has a schema of its own
	}{
		{"empty", "", 0, false},
		{"4 bytes", "00000000", 0, false},
		{"magic byte", "0100000001" + "00", 0, false},
		{"not framed", "7b226964223a317d", 0, false},
		{"negative id", "00ffffffff" + "00", 1, false},
		{"unknown id", "0000000063" + "00", 1, false},
		{"unresolvable schema", "0000000002" + "0261", 1, true},
		{"cut off", good[:len(good)-2], -1, false},
		{"trailing byte", good + "00", 17 - 1, false},
		{"length beyond the end", "0000000001" + "ff01", -1, false},
		{"invalid UTF-8", "0000000001" + "02ff" + "04" + "0000000000000000", 5, false},
		{"2^27 ints in 4 bytes", "0000000003" + "8080808001", 5, false},
		{"2^27 map entries", "0000000004" + "8080808001", 5, false},
	} {
		data, err := hex.DecodeString(c.data)
		if err != nil {
			t.Fatal(err)
		}
		var errs []error
		if !strings.HasPrefix(c.data, "000000000"+"3") && !strings.HasPrefix(c.data, "000000000"+"4") {
			_, err = lines.Decode(t.Context(), "lines", data)
			errs = append(errs, err)
		}
		if !c.typed {
			_, err = generic.Decode(t.Context(), "lines", data)
			errs = append(errs, err)
		}
		for _, err := range errs {
			var e *schema.Error
			if !errors.As(err, &e) || !errors.Is(err, schema.ErrPoison) || e.Topic != "lines" || e.Retryable {
				t.Errorf("%s: %#v", c.name, err)
				continue
			}
			if c.offset >= 0 && e.Offset != c.offset {
				t.Errorf("%s: at byte %d, want %d: %v", c.name, e.Offset, c.offset, err)
			}
		}
	}
	if _, err := lines.Decode(t.Context(), "lines", nil); !errors.Is(err, schema.ErrPoison) {
		t.Errorf("a tombstone decodes: %v", err)
	}
}

// TestRegistryAway is not poison: trying again may help.
func TestRegistryAway(t *testing.T) {
	_, url := serve(t, func(string) (int, string) { return 500, `{"error_code":50001,"message":"store"}` })
	serde, err := schema.Avro[line](newClient(t, url))
	if err != nil {
		t.Fatal(err)
	}
	_, err = serde.Decode(t.Context(), "lines", []byte{0, 0, 0, 0, 1, 0})
	var e *schema.Error
	if !errors.Is(err, schema.ErrUnavailable) || errors.Is(err, schema.ErrPoison) || !errors.As(err, &e) || !e.Retryable {
		t.Errorf("%#v", err)
	}
}

func TestCodec(t *testing.T) {
	codec := purchases(t, schematest.New(t)).Codec("purchases")
	want := aPurchase()
	for _, v := range []any{want, &want} {
		b, err := codec.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := codec.Decode(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decoded %+v, %v", got, err)
		}
	}
	for _, v := range []any{nil, "x", (*purchase)(nil)} {
		if _, err := codec.Encode(v); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("encoding %#v gives %v", v, err)
		}
	}
}

func TestAvroRefuses(t *testing.T) {
	client := schematest.New(t).Client()
	type odd struct {
		C chan int `avro:"c"`
	}
	if _, err := schema.Avro[odd](client); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("a channel has a schema: %v", err)
	}
	if _, err := schema.Avro[line](nil); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("no client: %v", err)
	}
	if _, err := schema.Avro[line](client, schema.FromFile("nowhere.avsc")); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("no file: %v", err)
	}
	if _, err := schema.Avro[line](client, schema.FromText(`{"type":"recrd"}`)); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("no schema: %v", err)
	}
	strict, err := schema.Avro[line](client, schema.AutoRegister(true),
		schema.FromText(`{"type":"record","name":"L","fields":[{"name":"sku","type":"int"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = strict.Encode(t.Context(), "x", line{SKU: "a"})
	var e *schema.Error
	if !errors.As(err, &e) || !errors.Is(err, schema.ErrInvalid) || e.Path != "sku" {
		t.Errorf("a value that does not fit gives %#v", err)
	}
}
