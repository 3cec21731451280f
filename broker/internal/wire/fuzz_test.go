package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What our decoder accepts kmsg reads too, and as the same request. The
// converse need not hold: kmsg is lenient with negative lengths (W11).

func FuzzProduceRequest(f *testing.F) {
	for version := int16(MinProduce); version <= MaxProduce; version++ {
		f.Add(version, benchProduce(version, 2, 2, 70))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		version = clamp(version, MinProduce, MaxProduce)
		var got ProduceRequest
		if err := got.Decode(version, body); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		want := kmsg.NewPtrProduceRequest()
		want.Version = version
		if err := want.ReadFrom(body); err != nil {
			t.Fatalf("v%d: kmsg refuses what wire accepts: %v", version, err)
		}
		if diff := cmp.Diff(want, flatProduce(&got), same); diff != "" {
			t.Fatalf("v%d (-kmsg +wire)\n%s", version, diff)
		}
	})
}

func FuzzFetchRequest(f *testing.F) {
	for version := int16(MinFetch); version <= MaxFetch; version++ {
		f.Add(version, benchFetch(version, 2, 2))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		version = clamp(version, MinFetch, MaxFetch)
		var got FetchRequest
		if err := got.Decode(version, body); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		want := kmsg.NewPtrFetchRequest()
		want.Version = version
		if err := want.ReadFrom(body); err != nil {
			t.Fatalf("v%d: kmsg refuses what wire accepts: %v", version, err)
		}
		if version <= 14 {
			// Tag 1 means nothing before v15, but kmsg reads it.
			want.ReplicaState.ID, want.ReplicaState.Epoch = -1, -1
		}
		if diff := cmp.Diff(want, flatFetch(&got), same); diff != "" {
			t.Fatalf("v%d (-kmsg +wire)\n%s", version, diff)
		}
	})
}

// No frame makes the header parser fail in any other way than by its error.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0, 18, 0, 3, 0, 0, 0, 1, 0, 2, 'm', 'e', 0})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		if err == nil && len(body)+8 > len(frame) {
			t.Fatalf("%+v left %d of %d bytes", h, len(body), len(frame))
		}
	})
}

func clamp(v, low, high int16) int16 {
	if v >= low && v <= high {
		return v
	}
	return low + int16(uint16(v)%uint16(high-low+1))
}
