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

func TestC6_C7_C9_ConfigurationsThatCannotWork(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		want   string
	}{
		{"C6 port 70000", Config{Listeners: []Listener{{Address: "127.0.0.1:70000"}}}, "70000"},
		{"C6 no port", Config{Listeners: []Listener{{Address: "127.0.0.1"}}}, "need host:port"},
		{"C6 twice", Config{Listeners: []Listener{{Name: "a", Address: ":9092"}, {Name: "b", Address: ":9092"}}}, "another one listens on :9092"},
		{"C6 port 0 to be advertised", Config{Listeners: []Listener{{Address: ":9092", Advertise: "host:0"}}}, "host:0"},
		{"C7 every address", Config{Listeners: []Listener{{Address: ":9092", Advertise: "0.0.0.0:9092"}}}, "cannot connect to every address"},
		{"C7 every address of IPv6", Config{Listeners: []Listener{{Address: ":9092", Advertise: "[::]:9092"}}}, "cannot connect to every address"},
		{"C9 more in sync than there are", Config{Properties: map[string]string{"min.insync.replicas": "3", "default.replication.factor": "2"}}, "min.insync.replicas 3 is above"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.config.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	free := Config{Listeners: []Listener{{Address: "127.0.0.1:0"}, {Address: "127.0.0.1:0"}}}
	if err := free.Validate(); err != nil {
		t.Errorf("two free ports: %v", err)
	}
}

// D20: connections leave descriptors for logs, and some for everything else.
func TestD20_ConnectionsLeaveDescriptors(t *testing.T) {
	for descriptors, want := range map[uint64]int{1024: 281, 256: 16, 100: 16, 1 << 20: 419302, 1<<64 - 1: 0} {
		if got := connectionsWithin(descriptors); got != want {
			t.Errorf("of %d descriptors %d are for connections, want %d", descriptors, got, want)
		}
	}
	if got := fewer(10_000, 281); got != 281 {
		t.Errorf("the bound is %d", got)
	}
	if fewer(0, 281) != 281 || fewer(5, 281) != 5 || fewer(7, 0) != 7 {
		t.Error("0 is no bound")
	}
}
