package schema_test

import (
	"context"
	"fmt"

	"github.com/riferrei/srclient"

	"github.com/millrace-io/millrace/schema"
)

// A srclient mock stands in for a registry here; against a real one the client
// is schema.NewClient("http://localhost:8081").
func mockedClient() *schema.Client {
	client, err := schema.NewClient("", schema.WithSRClient(srclient.CreateMockSchemaRegistryClient("mock://")))
	if err != nil {
		panic(err)
	}
	return client
}

func ExampleAvro() {
	type Order struct {
		ID   int64  `avro:"id"`
		Item string `avro:"item"`
	}
	client := mockedClient()
	defer client.Close()
	orders, err := schema.Avro[Order](client, schema.AutoRegister(true))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	b, err := orders.Encode(ctx, "orders", Order{ID: 7, Item: "lamp"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("% x\n", b)
	order, err := orders.Decode(ctx, "orders", b)
	fmt.Println(order, err)
	// Output:
	// 00 00 00 00 01 0e 08 6c 61 6d 70
	// {7 lamp} <nil>
}

func ExampleGeneric() {
	client := mockedClient()
	defer client.Close()
	orders, err := schema.Generic(client, schema.AutoRegister(true), schema.FromText(`{
		"type": "record", "name": "Order", "fields": [
			{"name": "id", "type": "long"},
			{"name": "note", "type": ["null", "string"]}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	b, err := orders.EncodeJSON(ctx, "orders", []byte(`{"id": 7, "note": {"string": "by hand"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := orders.Decode(ctx, "orders", b)
	fmt.Println(v, err)
	// Output:
	// map[id:7 note:map[string:by hand]] <nil>
}

func ExampleSerde_Codec() {
	type Total struct {
		Sum int64 `avro:"sum"`
	}
	client := mockedClient()
	defer client.Close()
	totals, err := schema.Avro[Total](client, schema.AutoRegister(true))
	if err != nil {
		fmt.Println(err)
		return
	}
	codec := totals.Codec("totals") // a goka.Codec
	b, err := codec.Encode(&Total{Sum: 42})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := codec.Decode(b)
	fmt.Printf("%+v %v\n", v, err)
	// Output: {Sum:42} <nil>
}
