package record

// walk takes records off a payload. Its methods report a problem as text, ""
// for none: a position is added once, by the caller, and the good path needs
// no error values.
type walk struct {
	rest []byte
}

// frame takes one record's body off.
func (w *walk) frame() (body []byte, problem string) {
	n, size := varint(w.rest)
	switch {
	case size == 0:
		return nil, "length is no varint"
	case n < smallestRecord-1:
		return nil, "length is below the smallest record's"
	case n > int64(len(w.rest)-size):
		return nil, "length is beyond the batch"
	}
	body = w.rest[size : size+int(n)]
	w.rest = w.rest[size+int(n):]
	return body, ""
}

// skip takes one record off and checks all of it but the contents of keys and
// values. It does not move on a problem.
func (w *walk) skip(wantDelta int32) (problem string) {
	if n := plainRecord(w.rest, wantDelta); n > 0 {
		w.rest = w.rest[n:]
		return ""
	}
	from := w.rest
	body, problem := w.frame()
	if problem != "" {
		return problem
	}
	f := fields{rest: body[1:]} // past the attributes
	f.varint()
	delta := f.varint()
	f.skipBytes(true)
	f.skipBytes(true)
	headers := f.count()
	for ; headers > 0 && f.problem == ""; headers-- {
		f.skipBytes(false)
		f.skipBytes(true)
	}
	switch {
	case f.problem != "":
		problem = f.problem
	case delta != int64(wantDelta):
		problem = "offset delta is out of order"
	case len(f.rest) > 0:
		problem = "fields end before the record's length"
	}
	if problem != "" {
		w.rest = from
	}
	return problem
}

// plainRecord returns the size of the record that b begins with if it is whole
// and has no headers, as nearly all have; 0 sends the caller the long way. It
// is what a broker does for each record that passes through it, so it counts
// in nanoseconds: numbers stay in their zig-zag form, in which even ones are
// twice themselves and -1 is 1.
func plainRecord(b []byte, wantDelta int32) int {
	length, i := uvarint(b, 0)
	if length&1 != 0 || length < 2*(smallestRecord-1) || length/2 > uint64(len(b)-min(i, len(b))) {
		return 0
	}
	end := i + int(length/2)
	b = b[:end]
	_, i = uvarint(b, i+1) // timestamp delta, past the attributes
	delta, i := uvarint(b, i)
	i = skipBytes(b, i)
	i = skipBytes(b, i)
	headers, i := uvarint(b, i)
	if delta != 2*uint64(wantDelta) || headers != 0 || i != end {
		return 0
	}
	return end
}

// skipBytes returns where the field behind a length and its bytes begins, or
// a place past the end of b.
func skipBytes(b []byte, i int) int {
	n, i := uvarint(b, i)
	switch {
	case n == 1: // null
		return i
	case n&1 != 0 || n/2 > uint64(len(b)):
		return len(b) + 1
	}
	return i + int(n/2)
}

// uvarint decodes the varint at i and returns where the next field begins, one
// past the end of b where there is no varint.
func uvarint(b []byte, i int) (uint64, int) {
	if i < len(b) {
		if c := b[i]; c < 0x80 {
			return uint64(c), i + 1
		}
	}
	return longUvarint(b, i)
}

func longUvarint(b []byte, i int) (u uint64, next int) {
	for shift := 0; i < len(b) && shift < 63; i, shift = i+1, shift+7 {
		c := b[i]
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return u, i + 1
		}
	}
	return 0, len(b) + 1
}

// fields takes the fields of one record off its body. The first problem
// sticks and empties the rest.
type fields struct {
	rest    []byte
	problem string
}

func (f *fields) fail(problem string) {
	if f.problem == "" {
		f.problem = problem
	}
	f.rest = nil
}

func (f *fields) varint() int64 {
	if len(f.rest) > 0 && f.rest[0] < 0x80 { // most deltas and lengths
		c := f.rest[0]
		f.rest = f.rest[1:]
		return int64(c>>1) ^ -int64(c&1)
	}
	v, size := varint(f.rest)
	if size == 0 {
		f.fail("a field is no varint")
		return 0
	}
	f.rest = f.rest[size:]
	return v
}

// bytes takes a length and as many bytes. A length of -1 gives nil where null
// is allowed.
func (f *fields) bytes(nullable bool) []byte {
	n := f.varint()
	switch {
	case n == -1 && nullable:
		return nil
	case n < 0:
		f.fail("a length is negative")
		return nil
	case n > int64(len(f.rest)):
		f.fail("a length is beyond the record")
		return nil
	}
	out := f.rest[:n:n]
	f.rest = f.rest[n:]
	return out
}

func (f *fields) skipBytes(nullable bool) { f.bytes(nullable) }

// count takes a header count, which the bytes that follow must be able to
// hold: each header is at least two lengths.
func (f *fields) count() int {
	n := f.varint()
	if n < 0 || n > int64(len(f.rest)/2) {
		f.fail("header count is beyond the record")
		return 0
	}
	return int(n)
}

// varint decodes a zig-zag varint of at most ten bytes; size 0 means that
// there is none.
func varint(b []byte) (v int64, size int) {
	var u uint64
	for i := 0; i < len(b) && i < 10; i++ {
		c := b[i]
		if c < 0x80 {
			if i == 9 && c > 1 {
				return 0, 0
			}
			u |= uint64(c) << (7 * i)
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
		u |= uint64(c&0x7f) << (7 * i)
	}
	return 0, 0
}
