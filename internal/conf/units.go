package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written 64MiB.
type Size int64

// String gives the size in the largest unit that divides it.
func (s Size) String() string {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// Secret is a string that is never printed. Its value is string(secret).
type Secret string

// Mask is what stands for a secret in everything that is shown.
const Mask = "********"

// String gives the mask, or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Mask
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"PiB", 1 << 50}}

// ParseSize reads a size such as 64MiB, 1.5GiB or 512 (bytes). Decimal units
// are refused with what to write instead.
func ParseSize(text string) (Size, error) {
	number, unit := splitUnit(text)
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a size such as 64MiB", text)
	}
	if unit == "" {
		unit = "B"
	}
	for _, u := range sizeUnits {
		if u.name != unit {
			continue
		}
		if u.bytes == 1 || !strings.Contains(number, ".") {
			whole, err := strconv.ParseInt(number, 10, 64)
			if err != nil || whole > math.MaxInt64/u.bytes {
				return 0, fmt.Errorf("%q is not a size: need a whole number of bytes below 8192PiB", text)
			}
			return Size(whole * u.bytes), nil
		}
		if n *= float64(u.bytes); n >= math.MaxInt64 {
			return 0, fmt.Errorf("%q is not a size: need a whole number of bytes below 8192PiB", text)
		}
		return Size(n), nil
	}
	if binary, ok := binaryUnit(unit); ok {
		return 0, fmt.Errorf("%q is not a size: write %s%s (units are B, KiB, MiB, GiB, TiB, PiB)", text, number, binary)
	}
	return 0, fmt.Errorf("%q is not a size such as 64MiB (units are B, KiB, MiB, GiB, TiB, PiB)", text)
}

// binaryUnit is the unit that someone meant who wrote a decimal one.
func binaryUnit(unit string) (string, bool) {
	for _, u := range sizeUnits[1:] {
		letter := u.name[:1]
		if strings.EqualFold(unit, letter) || strings.EqualFold(unit, letter+"B") || strings.EqualFold(unit, u.name) {
			return u.name, true
		}
	}
	return "", false
}

func splitUnit(text string) (number, unit string) {
	end := strings.LastIndexAny(text, "0123456789.") + 1
	return strings.TrimSpace(text[:end]), strings.TrimSpace(text[end:])
}

const day = 24 * time.Hour

// ParseDuration reads what time.ParseDuration does, and days and weeks in
// front: 7d, 1d12h, 2w. A bare 0 needs no unit.
func ParseDuration(text string) (time.Duration, error) {
	fault := fmt.Errorf("%q is not a duration such as 30s, 1h30m or 7d", text)
	rest, sign := text, time.Duration(1)
	if strings.HasPrefix(rest, "-") {
		rest, sign = rest[1:], -1
	}
	var total time.Duration
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, tail, found := strings.Cut(rest, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n < 0 || n*float64(unit.size)+float64(total) >= math.MaxInt64 {
			return 0, fault
		}
		total += time.Duration(n * float64(unit.size))
		rest = tail
	}
	if rest == "" && total > 0 {
		return sign * total, nil
	}
	small, err := time.ParseDuration(rest)
	if err != nil || small < 0 || total > math.MaxInt64-small {
		return 0, fault
	}
	return sign * (total + small), nil
}

// FormatDuration gives the shortest form that ParseDuration reads back.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	if d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}
