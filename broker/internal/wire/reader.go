package wire

import (
	"encoding/binary"
	"unsafe"
)

// reader takes primitives off the front of a frame. The first fault sticks:
// from then on everything reads as zero and nothing is left, so callers check
// once, at the end of a structure, but before trusting a count to loop.
type reader struct {
	src []byte
	pos int
	// fault is empty while all is well.
	fault string
}

const (
	faultShort  = "ends in mid-field"
	faultVarint = "varint longer than its type"
	faultLength = "negative length"
	faultArray  = "array length beyond the frame"
)

func (r *reader) fail(what string) {
	if r.fault == "" {
		r.fault = what
	}
}

func (r *reader) failed() bool { return r.fault != "" }

func (r *reader) remaining() int { return len(r.src) - r.pos }

// span takes the next n bytes, nil when they are not there.
func (r *reader) span(n int) []byte {
	if n < 0 {
		r.fail(faultLength)
		return nil
	}
	if r.fault != "" || n > r.remaining() {
		r.fail(faultShort)
		return nil
	}
	b := r.src[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) int8() int8 {
	if b := r.span(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.span(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.span(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.span(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uuid() (id [16]byte) {
	copy(id[:], r.span(16))
	return id
}

// uvarint reads an unsigned varint of at most 32 bits, so at most 5 bytes.
func (r *reader) uvarint() uint32 {
	var v uint32
	for shift := 0; ; shift += 7 {
		if r.fault != "" || r.pos == len(r.src) {
			r.fail(faultShort)
			return 0
		}
		c := r.src[r.pos]
		r.pos++
		if shift == 28 && c > 0x0f {
			r.fail(faultVarint)
			return 0
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

// length reads a length prefix of a string (16 bits when not flexible) or of
// bytes (32 bits); -1 is null.
func (r *reader) length(flexible bool, wide bool) int {
	var n int
	switch {
	case flexible:
		n = int(r.uvarint()) - 1
	case wide:
		n = int(r.int32())
	default:
		n = int(r.int16())
	}
	if n < -1 {
		r.fail(faultLength)
	}
	return n
}

// string reads a string that may not be null.
func (r *reader) string(flexible bool) string {
	return view(r.span(r.length(flexible, false)))
}

// nullableString reads a string; ok is false for null.
func (r *reader) nullableString(flexible bool) (s string, ok bool) {
	n := r.length(flexible, false)
	if n < 0 {
		return "", false
	}
	return view(r.span(n)), true
}

// nullableBytes reads bytes, nil for null and non-nil for empty.
func (r *reader) nullableBytes(flexible bool) []byte {
	n := r.length(flexible, true)
	if n < 0 {
		return nil
	}
	return r.span(n)
}

// array reads the length of an array whose elements take at least minSize
// bytes each. A length that the rest of the frame cannot hold is a fault, so
// that no loop runs on it. Null reads as empty.
func (r *reader) array(flexible bool, minSize int) int {
	var n int
	if flexible {
		n = int(r.uvarint()) - 1
	} else {
		n = int(r.int32())
	}
	switch {
	case r.failed(), n == -1:
		return 0
	case n < -1:
		r.fail(faultLength)
		return 0
	case n > r.remaining()/minSize:
		r.fail(faultArray)
		return 0
	}
	return n
}

// skipTags passes over a section of tagged fields.
func (r *reader) skipTags() {
	for n := r.uvarint(); n > 0 && !r.failed(); n-- {
		r.uvarint()
		r.span(int(r.uvarint()))
	}
}

// tag reads the key of one tagged field and a reader over its value.
func (r *reader) tag() (key uint32, value reader) {
	key = r.uvarint()
	return key, reader{src: r.span(int(r.uvarint()))}
}

// adopt takes over the fault of a tag's reader.
func (r *reader) adopt(value reader) {
	if value.failed() {
		r.fail(value.fault)
	}
}

func (r *reader) err(key, version int16) error {
	if r.fault == "" {
		return nil
	}
	return &MalformedError{Key: key, Version: version, Offset: r.pos, What: r.fault}
}

// view is a string over the same bytes.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
