package streams_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/millrace-io/millrace/streams"
	"github.com/millrace-io/millrace/streams/serde"
)

// Whatever bytes come as a windowed key, they are refused or come back as they
// were.
func FuzzWindowedKey(f *testing.F) {
	f.Add([]byte("short"))
	f.Add(append([]byte("key"), 0, 0, 0, 0, 0, 0, 0x27, 0x10))
	s := streams.WindowedKey(serde.Bytes(), time.Minute)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := s.Decode("t", b)
		if err != nil {
			return
		}
		back, err := s.Encode("t", w)
		if err != nil || !bytes.Equal(back, b) {
			t.Errorf("%x came back as %x (%v)", b, back, err)
		}
	})
}
