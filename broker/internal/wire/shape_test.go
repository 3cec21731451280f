package wire

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// fill draws a value for every exported field, whatever the version.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem())
		}
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			drawTags(t, true, tags)
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" {
				fill(t, v.Field(i))
			}
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "n")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(names.Draw(t, "s"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "b"))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, "f"))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Byte().Draw(t, "u")))
	default:
		v.SetInt(int64(rapid.Int8().Draw(t, "i")))
	}
}

// Every shape takes up exactly what kmsg writes, at every flexible version.
func TestShapesAreKmsgs(t *testing.T) {
	for _, key := range slices.Sorted(maps.Keys(shapes)) {
		for version := int16(0); version <= kmsg.RequestForKey(key).MaxVersion(); version++ {
			if !Flexible(key, version) {
				continue
			}
			t.Run(fmt.Sprintf("%s v%d", kmsg.NameForKey(key), version), rapid.MakeCheck(func(t *rapid.T) {
				req := kmsg.RequestForKey(key)
				fill(t, reflect.ValueOf(req).Elem())
				req.SetVersion(version)
				body := req.AppendTo(nil)
				r := reader{src: body}
				r.walk(shapes[key], version)
				if r.failed() || r.remaining() != 0 {
					t.Fatalf("%s after %d of %d bytes of %+v", r.fault, r.pos, len(body), req)
				}
				if err := DecodeInto(kmsg.RequestForKey(key), Header{Key: key, Version: version}, body); err != nil {
					t.Fatal(err)
				}
			}))
		}
	}
}

// Nine bytes that claim 2^32-1 tagged fields are refused at once.
func TestW10TagCountIsBounded(t *testing.T) {
	start := time.Now()
	body := []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}
	err := DecodeInto(kmsg.NewPtrMetadataRequest(), Header{Key: 3, Version: 9}, body)
	if !errors.Is(err, ErrMalformed) {
		t.Errorf("%v, want ErrMalformed", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A flexible API that nobody has described is refused, not trusted.
func TestUnknownShapeIsRefused(t *testing.T) {
	if err := DecodeInto(kmsg.NewPtrVoteRequest(), Header{Key: 52}, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("%v, want ErrMalformed", err)
	}
}

// One target for all APIs that kmsg decodes: no panic, no long loop, and no
// error but the decoder's.
func FuzzDecodeInto(f *testing.F) {
	for key := range shapes {
		f.Add(key, int16(0), []byte{0})
		f.Add(key, int16(9), []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		if _, ok := shapes[key]; !ok {
			return
		}
		req := kmsg.RequestForKey(key)
		version = clamp(version, 0, req.MaxVersion())
		if err := DecodeInto(req, Header{Key: key, Version: version}, body); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}
