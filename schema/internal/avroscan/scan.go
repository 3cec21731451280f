package avroscan

import (
	"fmt"
	"math"
	"unicode/utf8"
)

const (
	// MaxDepth is how deep values may be nested.
	MaxDepth = 1000
	// MaxEmptyItems is how many items that take no bytes a value may hold.
	MaxEmptyItems = 4096
)

// Error says why bytes are no value of the schema.
type Error struct {
	// Offset is the position of the fault in the scanned bytes.
	Offset  int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Message) }

// Scan checks that data begins with one value of the schema and returns its
// length. The error is an [*Error].
func (p *Plan) Scan(data []byte) (int, error) {
	s := scanner{data: data, empty: MaxEmptyItems}
	if err := s.value(p.root, 0); err != nil {
		return 0, err
	}
	return s.at, nil
}

type scanner struct {
	data  []byte
	at    int
	empty int // items without bytes that are still allowed
}

func (s *scanner) left() int { return len(s.data) - s.at }

// fault returns error, not *Error: a nil *Error in an error is not nil.
func (s *scanner) fault(at int, format string, args ...any) error {
	return &Error{Offset: at, Message: fmt.Sprintf(format, args...)}
}

func (s *scanner) value(n *node, depth int) error {
	if depth > MaxDepth {
		return s.fault(s.at, "nested deeper than %d levels", MaxDepth)
	}
	switch n.kind {
	case kindNull:
		return nil
	case kindBoolean:
		return s.boolean()
	case kindInt:
		return s.int()
	case kindLong:
		_, err := s.varint()
		return err
	case kindFloat:
		return s.skip(4, "float")
	case kindDouble:
		return s.skip(8, "double")
	case kindBytes:
		_, err := s.prefixed("bytes")
		return err
	case kindString:
		return s.string()
	case kindEnum:
		_, err := s.index(n.count, "enum")
		return err
	case kindFixed:
		return s.skip(n.count, "fixed")
	case kindArray, kindMap:
		return s.blocks(n, depth)
	case kindUnion:
		branch, err := s.index(len(n.inner), "union")
		if err != nil {
			return err
		}
		return s.value(n.inner[branch], depth+1)
	case kindRecord:
		for _, field := range n.inner {
			if err := s.value(field, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scanner) skip(n int, what string) error {
	if n > s.left() {
		return s.fault(s.at, "%s needs %d bytes, %d are left", what, n, s.left())
	}
	s.at += n
	return nil
}

func (s *scanner) boolean() error {
	if s.left() == 0 {
		return s.fault(s.at, "ends before a boolean")
	}
	if b := s.data[s.at]; b > 1 {
		return s.fault(s.at, "boolean is 0x%02x, need 0 or 1", b)
	}
	s.at++
	return nil
}

// varint reads a zig-zag number of up to ten bytes.
func (s *scanner) varint() (int64, error) {
	start := s.at
	var u uint64
	for shift := 0; ; shift += 7 {
		if s.at == len(s.data) {
			return 0, s.fault(start, "ends in the middle of a number")
		}
		b := s.data[s.at]
		if shift == 63 && b > 1 {
			return 0, s.fault(start, "number is longer than 64 bits")
		}
		s.at++
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
}

func (s *scanner) int() error {
	start := s.at
	v, err := s.varint()
	if err != nil {
		return err
	}
	if v < math.MinInt32 || v > math.MaxInt32 || s.at-start > 5 {
		return s.fault(start, "number %d is longer than 32 bits", v)
	}
	return nil
}

func (s *scanner) index(n int, what string) (int, error) {
	start := s.at
	v, err := s.varint()
	if err != nil {
		return 0, err
	}
	if v < 0 || v >= int64(n) {
		return 0, s.fault(start, "%s index is %d, the schema has %d", what, v, n)
	}
	return int(v), nil
}

// prefixed skips a length and as many bytes, which it returns.
func (s *scanner) prefixed(what string) ([]byte, error) {
	start := s.at
	n, err := s.varint()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(s.left()) {
		return nil, s.fault(start, "%s of %d bytes, %d are left", what, n, s.left())
	}
	s.at += int(n)
	return s.data[s.at-int(n) : s.at], nil
}

func (s *scanner) string() error {
	start := s.at
	b, err := s.prefixed("string")
	if err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return s.fault(start, "string is not valid UTF-8")
	}
	return nil
}

// blocks reads an array or a map: blocks of items, ended by an empty one.
func (s *scanner) blocks(n *node, depth int) error {
	item := n.inner[0]
	least := item.least
	if n.kind == kindMap {
		least++ // a key takes at least its length
	}
	for {
		start := s.at
		count, err := s.varint()
		if err != nil {
			return err
		}
		if count == 0 {
			return nil
		}
		end := -1
		if count < 0 { // then the block's size in bytes follows
			if count == math.MinInt64 {
				return s.fault(start, "block count is %d", count)
			}
			count = -count
			if end, err = s.blockEnd(); err != nil {
				return err
			}
		}
		if err := s.plausible(start, count, least); err != nil {
			return err
		}
		if err := s.items(n.kind, item, count, depth); err != nil {
			return err
		}
		if end >= 0 && s.at != end {
			return s.fault(start, "block ends at byte %d, its size says %d", s.at, end)
		}
	}
}

func (s *scanner) blockEnd() (int, error) {
	start := s.at
	size, err := s.varint()
	if err != nil {
		return 0, err
	}
	if size < 0 || size > int64(s.left()) {
		return 0, s.fault(start, "block of %d bytes, %d are left", size, s.left())
	}
	return s.at + int(size), nil
}

// plausible refuses a count that the bytes left cannot hold.
func (s *scanner) plausible(start int, count int64, least int) error {
	if least > 0 {
		if count > int64(s.left()/least) {
			return s.fault(start, "block of %d items of at least %d bytes, %d bytes are left", count, least, s.left())
		}
		return nil
	}
	if count > int64(s.empty) {
		return s.fault(start, "more than %d items without bytes", MaxEmptyItems)
	}
	s.empty -= int(count)
	return nil
}

func (s *scanner) items(kind kind, item *node, count int64, depth int) error {
	for range count {
		if kind == kindMap {
			if err := s.string(); err != nil {
				return err
			}
		}
		if err := s.value(item, depth+1); err != nil {
			return err
		}
	}
	return nil
}
