package serde_test

import (
	"errors"
	"net"
	"testing"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
	"github.com/millrace-io/millrace/streams/serde"
)

type order struct {
	ID    string `avro:"id"`
	Cents int64  `avro:"cents"`
}

func TestAvroIsRegisteredAvro(t *testing.T) {
	client := schematest.New(t).Client()
	s := serde.Avro[order](client, schema.AutoRegister(true))
	b, err := s.Encode("orders", order{"a", 7})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Latest(t.Context(), "orders-value"); err != nil {
		t.Errorf("not registered: %v", err)
	}
	if back, err := serde.Avro[order](client).Decode("orders", b); err != nil || back != (order{"a", 7}) {
		t.Errorf("came back as %v (%v)", back, err)
	}
	if _, err := s.Decode("orders", []byte("not framed")); err == nil || errors.Is(err, serde.ErrUnavailable) {
		t.Errorf("bytes that are no Avro: %v, want a fault of the record", err)
	}
}

func TestAvroRegistryAwayIsNoFaultOfTheRecord(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	client, err := schema.NewClient("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := serde.Avro[order](client).Decode("orders", []byte{0, 0, 0, 0, 1, 0}); !errors.Is(err, serde.ErrUnavailable) {
		t.Errorf("%v is not %v", err, serde.ErrUnavailable)
	}
}

func TestAvroOfWhatHasNoSchemaSaysSoWhenAsked(t *testing.T) {
	client, err := schema.NewClient("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := serde.Avro[chan int](client)
	c, ok := s.(interface{ Check() error })
	if !ok || c.Check() == nil {
		t.Error("a channel has no Avro schema, and Check does not say so")
	}
}
