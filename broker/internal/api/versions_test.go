package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-io/millrace/broker/internal/server"
)

// Every API answers at every version that is advertised, with a response that
// decodes, to a request with nothing but defaults in it.
func TestEveryVersionAnswers(t *testing.T) {
	n := start(t, setup{})
	n.create(t, "t")
	for _, a := range Table() {
		for version := a.From(); version <= a.Max; version++ {
			t.Run(fmt.Sprintf("%s v%d", a.Name(), version), func(t *testing.T) {
				req := kmsg.RequestForKey(a.Key)
				req.SetVersion(version)
				switch req := req.(type) {
				case *kmsg.ProduceRequest:
					req.Acks = 1
				case *kmsg.ApiVersionsRequest:
					req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1.0"
				}
				resp := ask[kmsg.Response](n.client(t), req)
				if resp.Key() != a.Key {
					t.Fatalf("a response to %s", kmsg.NameForKey(resp.Key()))
				}
			})
		}
	}
}

// kafkas are the ranges that Kafka 4.4 advertises on a client listener, of all
// APIs that are served here or are meant to be.
var kafkas = map[int16][2]int16{
	0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, 8: {2, 10}, 9: {1, 10}, 10: {0, 6}, 11: {0, 9}, 12: {0, 4}, 13: {0, 5},
	14: {0, 5}, 15: {0, 6}, 16: {0, 5}, 17: {0, 1}, 18: {0, 5}, 19: {2, 7}, 20: {1, 6}, 21: {0, 2}, 22: {0, 5}, 23: {2, 4},
	24: {0, 5}, 25: {0, 4}, 26: {0, 5}, 27: {1, 2}, 28: {0, 6}, 29: {1, 3}, 30: {1, 3}, 31: {1, 3}, 32: {1, 4}, 33: {0, 2},
	35: {1, 5}, 36: {0, 2}, 37: {0, 3}, 42: {0, 3}, 43: {0, 2}, 44: {0, 1}, 45: {0, 1}, 46: {0, 0}, 47: {0, 0}, 48: {0, 1},
	49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 55: {0, 2}, 57: {0, 2}, 60: {0, 2}, 61: {0, 0}, 64: {0, 0}, 65: {0, 0}, 66: {0, 2},
	68: {0, 1}, 69: {0, 1}, 71: {0, 0}, 72: {0, 0}, 74: {0, 1}, 75: {0, 0}, 76: {1, 1}, 77: {1, 1}, 78: {1, 2}, 79: {1, 2},
	80: {0, 1}, 81: {0, 0}, 90: {0, 1}, 91: {0, 0}, 92: {0, 0},
}

// A range that is not Kafka's makes clients choose versions that they would
// not choose there.
func TestTableIsKafkas(t *testing.T) {
	last := int16(-1)
	for _, a := range Table() {
		if want, ok := kafkas[a.Key]; !ok || want != [2]int16{a.Min, a.Max} {
			t.Errorf("%s is advertised as %d to %d, Kafka has %v", a.Name(), a.Min, a.Max, want)
		}
		if newest := kmsg.RequestForKey(a.Key).MaxVersion(); a.Max > newest {
			t.Errorf("%s is advertised up to v%d, and kmsg knows v%d", a.Name(), a.Max, newest)
		}
		if a.Key <= last {
			t.Errorf("%s is out of order", a.Name())
		}
		last = a.Key
	}
}

// W7, W9 and item 6: what is not served closes the connection, and the log
// says what was asked for.
func TestItem3_UnservedRequestsClose(t *testing.T) {
	n := start(t, setup{})
	for _, test := range []struct {
		name         string
		key, version int16
		detail       string
	}{
		{"W7 unknown key", 999, 0, "API key 999"},
		{"W7 negative key", -1, 0, "API key -1"},
		{"W7 a broker's own API", 4, 4, "LeaderAndISR"},
		{"W9 Metadata v99", 3, 99, "Metadata v99 is not served, versions 0 to 13 are"},
		{"W9 Fetch v3", 1, 3, "Fetch v3 is not served, versions 4 to 18 are"},
		{"W9 Produce v0 is advertised and refused", 0, 0, "versions 3 to 13"},
		{"W9 Produce v2 is advertised and refused", 0, 2, "versions 3 to 13"},
		{"W9 negative version", 3, -1, "Metadata v-1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := &server.Request{}
			req.Key, req.Version = test.key, test.version
			_, err := n.Broker.Serve(req)
			if err == nil || !strings.Contains(err.Error(), test.detail) {
				t.Errorf("%v, want an error with %q", err, test.detail)
			}
			c := n.client(t)
			frame := []byte{0, 0, 0, 10, byte(uint16(test.key) >> 8), byte(test.key), byte(uint16(test.version) >> 8), byte(test.version), 0, 0, 0, 1, 0xff, 0xff}
			if _, err := c.conn.Write(frame); err != nil {
				t.Fatal(err)
			}
			c.closed()
		})
	}
}

// W8: ApiVersions of the future is answered in v0 with the ranges.
func TestW8ApiVersionsOfTheFuture(t *testing.T) {
	n := start(t, setup{})
	c := n.client(t)
	if _, err := c.conn.Write([]byte{0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	old := kmsg.NewPtrApiVersionsRequest()
	resp := c.receive(old, 1).(*kmsg.ApiVersionsResponse)
	if resp.ErrorCode != kerr.UnsupportedVersion.Code || len(resp.ApiKeys) != len(Table()) {
		t.Errorf("code %d with %d keys", resp.ErrorCode, len(resp.ApiKeys))
	}
	// The connection goes on with a version that is served.
	c.next = 1
	if resp := ask[*kmsg.ApiVersionsResponse](c, old); resp.ErrorCode != 0 {
		t.Errorf("v0 afterwards: code %d", resp.ErrorCode)
	}
}

func TestApiVersions(t *testing.T) {
	n := start(t, setup{})
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 4, "kgo", "v1.22.2"
	resp := ask[*kmsg.ApiVersionsResponse](n.client(t), req)
	for _, k := range resp.ApiKeys {
		if k.ApiKey == 0 && (k.MinVersion != 0 || k.MaxVersion != 13) {
			t.Errorf("Produce is advertised as %d-%d, want 0-13", k.MinVersion, k.MaxVersion)
		}
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "share.version" {
			t.Errorf("feature %s is finalized and not there", f.Name)
		}
	}
	// Item 8: names are checked by pattern (KIP-511).
	for name, want := range map[string]int16{"kgo": 0, "apache-kafka-java": 0, "": kerr.InvalidRequest.Code, "-x": kerr.InvalidRequest.Code, "a b": kerr.InvalidRequest.Code} {
		req.ClientSoftwareName = name
		if got := ask[*kmsg.ApiVersionsResponse](n.client(t), req).ErrorCode; got != want {
			t.Errorf("name %q: code %d, want %d", name, got, want)
		}
	}
}

// W10 and W11 behind a good header: the connection is closed, and only it.
func TestMalformedBodiesClose(t *testing.T) {
	n := start(t, setup{})
	other := n.client(t)
	ask[*kmsg.MetadataResponse](other, metadataFor(12))
	header := func(key, version byte) []byte { return []byte{0, key, 0, version, 0, 0, 0, 1, 0xff, 0xff} }
	for name, frame := range map[string][]byte{
		"W10 Produce with 2^31-1 topics":  append(header(0, 8), 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff),
		"W10 Produce with a long varint":  append(header(0, 9), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"W10 Fetch with 2^31-1 topics":    append(append(header(1, 4), make([]byte, 17)...), 0x7f, 0xff, 0xff, 0xff),
		"W10 Metadata with 2^31-1 topics": append(header(3, 1), 0x7f, 0xff, 0xff, 0xff),
		"W11 Produce with -2 topics":      append(header(0, 8), 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe),
		"W11 Fetch with -2 topics":        append(append(header(1, 4), make([]byte, 17)...), 0xff, 0xff, 0xff, 0xfe),
		"an empty body":                   header(1, 4),
	} {
		t.Run(name, func(t *testing.T) {
			c := n.client(t)
			if _, err := c.conn.Write(append([]byte{0, 0, 0, byte(len(frame))}, frame...)); err != nil {
				t.Fatal(err)
			}
			c.closed()
		})
	}
	ask[*kmsg.MetadataResponse](other, metadataFor(12))
}
