package wire

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFlexibleIsKmsgs(t *testing.T) {
	for key := range int16(len(flexibleFrom)) {
		req := kmsg.RequestForKey(key)
		if req == nil {
			t.Errorf("kmsg does not know key %d", key)
			continue
		}
		for version := int16(0); version <= req.MaxVersion(); version++ {
			req.SetVersion(version)
			if got := Flexible(key, version); got != req.IsFlexible() {
				t.Errorf("%s v%d: flexible %v, kmsg says %v", kmsg.NameForKey(key), version, got, !got)
			}
		}
	}
	if Flexible(-1, 9) || Flexible(999, 9) {
		t.Error("an unknown API has flexible versions")
	}
}

// Every frame that franz-go's own formatter writes is taken apart again.
func TestItem5_ParseHeader(t *testing.T) {
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("me"))
	for key := range int16(len(flexibleFrom)) {
		req := kmsg.RequestForKey(key)
		for version := int16(0); version <= req.MaxVersion(); version++ {
			if key == 7 && version == 0 {
				continue // ControlledShutdown v0 has header v0; brokers of this age do not send it
			}
			req.SetVersion(version)
			frame := formatter.AppendRequest(nil, req, 42)
			h, body, err := ParseHeader(frame[4:])
			if err != nil {
				t.Fatalf("key %d v%d: %v", key, version, err)
			}
			if want := (Header{Key: key, Version: version, CorrelationID: 42, ClientID: "me"}); h != want {
				t.Fatalf("key %d v%d: header %+v", key, version, h)
			}
			if want := req.AppendTo(nil); string(body) != string(want) {
				t.Fatalf("key %d v%d: body %x, want %x", key, version, body, want)
			}
		}
	}
}

func TestParseHeaderFaults(t *testing.T) {
	for name, frame := range map[string][]byte{
		"empty":                   nil,
		"correlation id cut":      {0, 3, 0, 1, 0, 0},
		"client id length -2":     {0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xfe},
		"client id cut":           {0, 3, 0, 1, 0, 0, 0, 1, 0, 9, 'a'},
		"tags missing":            {0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff},
		"W10 tags of 2^32-1":      {0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"W10 varint over 5 bytes": {0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		if _, _, err := ParseHeader(frame); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", name, err)
		}
	}
}

// W8: a client of the future asks for versions by a request that this broker
// cannot read; its correlation id is all that the answer needs.
func TestParseHeaderOfFutureApiVersions(t *testing.T) {
	h, body, err := ParseHeader([]byte{0, 18, 0, 99, 0, 0, 0, 7, 0xee})
	if err != nil || h.CorrelationID != 7 || h.Version != 99 || len(body) != 0 {
		t.Fatalf("got %+v %x %v", h, body, err)
	}
}

// Item 4: the ApiVersions response always has header v0.
func TestItem4_ResponseHeader(t *testing.T) {
	for _, test := range []struct {
		key, version int16
		want         string
	}{
		{KeyAPIVersions, 0, "\x00\x00\x00\x05"},
		{KeyAPIVersions, 4, "\x00\x00\x00\x05"},
		{KeyProduce, 8, "\x00\x00\x00\x05"},
		{KeyProduce, 9, "\x00\x00\x00\x05\x00"},
	} {
		got := AppendResponseHeader(nil, Header{Key: test.key, Version: test.version, CorrelationID: 5})
		if string(got) != test.want {
			t.Errorf("key %d v%d: %x, want %x", test.key, test.version, got, test.want)
		}
	}
}
