package schematest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/millrace-io/millrace/schema"
	"github.com/millrace-io/millrace/schema/schematest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type order struct {
	ID int64 `avro:"id"`
}

func TestRoundTrip(t *testing.T) {
	registry := schematest.New(t)
	orders, err := schema.Avro[order](registry.Client())
	if err != nil {
		t.Fatal(err)
	}
	id := registry.Register("orders-value", orders.Schema())
	b, err := orders.Encode(t.Context(), "orders", order{ID: 42})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := schema.ParseHeader(b); got != id || err != nil {
		t.Errorf("framed with id %d, %v; registered as %d", got, err, id)
	}
	got, err := orders.Decode(t.Context(), "orders", b)
	if err != nil || got.ID != 42 {
		t.Errorf("decoded %+v, %v", got, err)
	}
}
