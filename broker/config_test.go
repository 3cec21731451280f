package broker

import (
	"strings"
	"testing"
)

// Everything that is wrong with a configuration is said at once, before
// anything is started.
func TestValidateReportsAll(t *testing.T) {
	c := Config{
		NodeID: -1,
		Listeners: []Listener{
			{Name: "a", Address: "nohost"}, {Name: "a", Address: ":70000"},
			{Name: "b", Address: ":9092", Advertise: "0.0.0.0:9092"}, {Name: "c", Address: ":9092", Advertise: "h:0"},
		},
		Properties: map[string]string{"num.partitions": "many", "no.such.key": "1"},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"node id -1", `"nohost"`, "70000", `the name "a" is taken`, "0.0.0.0", `"h:0"`, "num.partitions", "no.such.key"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
}
