package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of decoding.
var (
	// ErrMalformed is returned for bytes that are no record.
	ErrMalformed = errors.New("malformed metadata record")
	// ErrNewer is returned for a kind or version that this program does not
	// know. Skipping it would give another image than the peers'.
	ErrNewer = errors.New("metadata record of a newer version")
)

// version is the version of every kind so far.
const version = 0

// Append encodes a record: kind, version, length of the body, body.
func Append(b []byte, r Record) []byte {
	b = binary.AppendUvarint(b, uint64(r.kind()))
	b = binary.AppendUvarint(b, version)
	// The length is written before the body is known to have it: leave room
	// for one byte, and move the body in the rare case that it needs more.
	start := len(b)
	b = r.encode(append(b, 0))
	size := len(b) - start - 1
	if size < 0x80 {
		b[start] = byte(size)
		return b
	}
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(size))
	b = append(b, length[:n-1]...)
	copy(b[start+n:], b[start+1:start+1+size])
	copy(b[start:], length[:n])
	return b
}

// Next decodes the first record of b and returns the rest.
func Next(b []byte) (Record, []byte, error) {
	d := &decoder{b: b}
	k, v := kind(d.uvarint()), d.uvarint()
	body := d.bytes()
	if d.failed {
		return nil, nil, fmt.Errorf("%w: cut short", ErrMalformed)
	}
	r := k.blank()
	if r == nil || v > version {
		return nil, nil, fmt.Errorf("%w: kind %d, version %d; start the version of millrace that wrote it, or a later one", ErrNewer, k, v)
	}
	in := &decoder{b: body}
	r.decode(in)
	if in.failed || len(in.b) > 0 {
		return nil, nil, fmt.Errorf("%w: kind %d, body of %d bytes", ErrMalformed, k, len(body))
	}
	return r, d.b, nil
}

// decoder reads from the front of b. After a failure it gives zeros.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) fail() {
	d.failed = true
	d.b = nil
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int32() int32 {
	v := d.varint()
	if int64(int32(v)) != v {
		d.fail()
	}
	return int32(v)
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail()
	}
	return v == 1
}

func (d *decoder) change() Change {
	v := d.byte()
	if v > byte(Clear) {
		d.fail()
		return Keep
	}
	return Change(v)
}

// bytes returns a length-prefixed part of the input, not a copy.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) uuid() (id UUID) {
	if len(d.b) < len(id) {
		d.fail()
		return id
	}
	copy(id[:], d.b)
	d.b = d.b[len(id):]
	return id
}

// count reads the length of a list whose items take at least size bytes each,
// so that no list can claim more than its input holds.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) ids() []int32 {
	n := d.count(1)
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = d.int32()
	}
	return ids
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendIDs(b []byte, ids []int32) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = binary.AppendVarint(b, int64(id))
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
