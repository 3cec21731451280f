package registry_test

import (
	"testing"

	"github.com/millrace-io/millrace/broker/brokertest"
	"github.com/millrace-io/millrace/schema/schematest"
)

// TestOnTheBundledBroker: the registry creates its topic, and both the broker
// and the registry may be started again on what they left.
func TestOnTheBundledBroker(t *testing.T) {
	dir := t.TempDir()
	broker := brokertest.Start(t, brokertest.Dir(dir))
	t.Run("first", func(t *testing.T) {
		reg := schematest.New(t, broker.Cluster())
		if id := reg.Register("a", `"string"`); id != 1 {
			t.Errorf("first id %d", id)
		}
		if id := reg.Register("b", orderV1); id != 2 {
			t.Errorf("second id %d", id)
		}
		if err := reg.Client().DeleteSubject(t.Context(), "a", false); err != nil {
			t.Error(err)
		}
	})
	t.Run("registry again", func(t *testing.T) {
		reg := schematest.New(t, broker.Cluster())
		if got := get(t, reg.URL()+"/subjects"); got != `["b"]` {
			t.Errorf("subjects %s", got)
		}
		if id := reg.Register("c", orderV2); id != 3 {
			t.Errorf("next id %d", id)
		}
	})
	broker.Close()
	t.Run("broker again", func(t *testing.T) {
		reg := schematest.New(t, brokertest.Start(t, brokertest.Dir(dir)).Cluster())
		if got := get(t, reg.URL()+"/subjects?deleted=true"); got != `["a","b","c"]` {
			t.Errorf("subjects %s", got)
		}
		if got := get(t, reg.URL()+"/schemas/ids/2/schema"); got != orderV1 {
			t.Errorf("schema 2 is %s", got)
		}
	})
}
