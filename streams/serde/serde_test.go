package serde_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/millrace-io/millrace/streams/serde"
)

func TestFormats(t *testing.T) {
	type point struct{ X, Y int }
	for _, c := range []struct {
		name string
		got  func() ([]byte, error)
		want string
	}{
		{"string", func() ([]byte, error) { return serde.String().Encode("t", "née") }, "6ec3a965"},
		{"empty string is not null", func() ([]byte, error) { return serde.String().Encode("t", "") }, ""},
		{"int64 is Kafka's long", func() ([]byte, error) { return serde.Int64().Encode("t", 258) }, "0000000000000102"},
		{"negative int64", func() ([]byte, error) { return serde.Int64().Encode("t", -1) }, "ffffffffffffffff"},
		{"bytes", func() ([]byte, error) { return serde.Bytes().Encode("t", []byte{0, 1}) }, "0001"},
		{"empty bytes are not null", func() ([]byte, error) { return serde.Bytes().Encode("t", nil) }, ""},
		{"json", func() ([]byte, error) { return serde.JSON[point]().Encode("t", point{1, 2}) }, hex.EncodeToString([]byte(`{"X":1,"Y":2}`))},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.got()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil || hex.EncodeToString(b) != c.want {
				t.Errorf("%x (nil: %t), want %s", b, b == nil, c.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	if _, err := serde.String().Decode("t", []byte{0xff}); !errors.Is(err, serde.ErrInvalidUTF8) {
		t.Errorf("string: %v, want %v", err, serde.ErrInvalidUTF8)
	}
	if _, err := serde.Int64().Decode("t", []byte{1, 2, 3}); err == nil {
		t.Error("int64: three bytes were accepted")
	}
	if _, err := serde.JSON[int]().Decode("t", []byte("{")); err == nil {
		t.Error("json: half a document was accepted")
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		b, _ := serde.Int64().Encode("t", n)
		if back, err := serde.Int64().Decode("t", b); err != nil || back != n {
			t.Fatalf("%d came back as %d (%v)", n, back, err)
		}
		raw := rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
		c, _ := serde.Bytes().Encode("t", raw)
		back, err := serde.Bytes().Decode("t", c)
		if err != nil || !bytes.Equal(back, raw) {
			t.Fatalf("%x came back as %x (%v)", raw, back, err)
		}
	})
}

func TestDecodedBytesMayBeKept(t *testing.T) {
	in := []byte("abc")
	kept, err := serde.Bytes().Decode("t", in)
	if err != nil {
		t.Fatal(err)
	}
	in[0] = 'x'
	if string(kept) != "abc" {
		t.Errorf("the value changed with its input: %q", kept)
	}
}

func TestGokaCodecs(t *testing.T) {
	codec := serde.ToGoka(serde.Int64(), "t")
	b, err := codec.Encode(int64(7))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := serde.FromGoka[int64](codec).Decode("t", b); err != nil || n != 7 {
		t.Errorf("7 came back as %d (%v)", n, err)
	}
	if _, err := codec.Encode("seven"); err == nil {
		t.Error("a codec for int64 took a string")
	}
	if _, err := serde.FromGoka[string](codec).Decode("t", b); err == nil {
		t.Error("an int64 was decoded as a string")
	}
}
