package avrotext

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-io/millrace/schema/internal/strictjson"
)

// appendValue writes a value as Jackson does, without spaces; with sorted,
// objects by key.
func appendValue(dst []byte, v strictjson.Value, sorted bool) []byte {
	switch v.Kind {
	case strictjson.Null:
		return append(dst, "null"...)
	case strictjson.Bool:
		return append(dst, v.Text...)
	case strictjson.Number:
		return appendNumber(dst, v.Text)
	case strictjson.String:
		return appendString(dst, v.Text)
	case strictjson.Array:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, item, sorted)
		}
		return append(dst, ']')
	case strictjson.Object:
		members := v.Members
		if sorted {
			members = slices.SortedFunc(slices.Values(members), byKey)
		}
		dst = append(dst, '{')
		for i, m := range members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, m.Key), ':')
			dst = appendValue(dst, m.Value, sorted)
		}
		return append(dst, '}')
	}
	return dst
}

// appendNumber writes whole numbers digit for digit, others as a Java double.
func appendNumber(dst []byte, text string) []byte {
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			text = "0"
		}
		return append(dst, text...)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !finite(f) {
		return append(dst, text...)
	}
	return append(dst, javaDouble(f)...)
}

func finite(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }

// javaDouble spells a number as Double.toString: with a point and at least one
// digit after it, and with an exponent outside of 0.001 to 10,000,000.
func javaDouble(f float64) string {
	magnitude := math.Abs(f)
	if f == 0 || magnitude >= 1e-3 && magnitude < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return mantissa // cannot be: FormatFloat writes a decimal exponent
	}
	return mantissa + "E" + strconv.Itoa(n)
}

const upperHex = "0123456789ABCDEF"

// appendString quotes a string with Jackson's escapes: quotes, backslash and
// control characters, nothing else.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, `\u00`...)
				dst = append(dst, upperHex[c>>4], upperHex[c&15])
				continue
			}
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// AppendString quotes a string with Jackson's escapes, as the registry's
// records hold it.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

// AppendValue writes a value without spaces, in the order it has.
func AppendValue(dst []byte, v strictjson.Value) []byte { return appendValue(dst, v, false) }
