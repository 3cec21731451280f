package cluster

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Every fault of a profile is reported in one error, so that nobody mends one
// at a time.
func TestValidateReportsAll(t *testing.T) {
	p := Profile{
		Bootstrap: []string{"nohost", "h:0", "h:99999"},
		TLS:       &TLS{},
		Auth:      &Auth{Type: "gssapi"},
		Dial:      func(context.Context, string, string) (net.Conn, error) { return nil, nil },
	}
	err := p.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"nohost"`, `"h:0"`, `"h:99999"`, "tls:", "gssapi", "scram-sha-512"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s in:\n%v", want, err)
		}
	}
	if err := (Profile{}).Validate(); err == nil || !strings.Contains(err.Error(), "at least one") {
		t.Errorf("empty profile: %v", err)
	}
}

func TestTLSFaults(t *testing.T) {
	for _, tls := range []TLS{{CA: "/does/not/exist"}, {Cert: "c"}} {
		if _, err := (Profile{Bootstrap: []string{"h:1"}, TLS: &tls}).Client(); err == nil {
			t.Errorf("%+v was accepted", tls)
		}
	}
}

// A profile with a Dial reaches the cluster through it and through nothing
// else: that is how the upper half meets the broker of its own process.
func TestDial(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	dialled := 0
	p := Profile{Bootstrap: []string{"node-1:9092"}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled++
		return new(net.Dialer).DialContext(ctx, network, fake.ListenAddrs()[0])
	}}
	client, err := p.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if dialled == 0 {
		t.Error("the record went around the Dial")
	}
}
