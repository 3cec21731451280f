package schema_test

import (
	"reflect"
	"testing"

	"github.com/millrace-io/millrace/schema"
	"github.com/riferrei/srclient"
)

type order struct {
	ID    int64    `avro:"id"`
	Item  string   `avro:"item"`
	Notes []string `avro:"notes"`
}

func TestAvroOverAMockedSRClient(t *testing.T) {
	client, err := schema.NewClient("", schema.WithSRClient(srclient.CreateMockSchemaRegistryClient("mock://")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	orders, err := schema.Avro[order](client, schema.AutoRegister(true))
	if err != nil {
		t.Fatal(err)
	}
	want := order{ID: 7, Item: "lamp", Notes: []string{"a", "b"}}
	b, err := orders.Encode(t.Context(), "orders", want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := orders.Decode(t.Context(), "orders", b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("decoded %+v, %v; want %+v", got, err, want)
	}
	generic, err := schema.Generic(client)
	if err != nil {
		t.Fatal(err)
	}
	text, err := generic.DecodeJSON(t.Context(), "orders", b)
	if want := `{"id":7,"item":"lamp","notes":["a","b"]}`; err != nil || string(text) != want {
		t.Fatalf("as JSON %s, %v; want %s", text, err, want)
	}
	again, err := generic.EncodeJSON(t.Context(), "orders", text)
	if err != nil || !reflect.DeepEqual(again, b) {
		t.Fatalf("from JSON % x, %v; want % x", again, err, b)
	}
}
